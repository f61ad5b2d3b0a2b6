"""Commands that look at specs: list, show, verify, schema."""

from typing import Annotated

import typer

from mbprof.cli.app import app
from mbprof.cli.options import FormatOption, OutputOption, SpecArgument, print_report


@app.command(name="list", epilog="Example: mbprof list mobilenet")
def list_specs(
    text: Annotated[
        str, typer.Argument(metavar="[TEXT]", help="only names and families that hold it")
    ] = "",
    format: FormatOption = "rich",
    output: OutputOption = None,
) -> None:
    """List the networks of the zoo by family."""
    from mbprof.output import layout
    from mbprof.pages.zoo import catalogue_report

    layout(format)
    print_report(catalogue_report(text), format, output)


@app.command(epilog="Example: mbprof show mobilenet_v1@keras")
def show(spec: SpecArgument, format: FormatOption = "rich", output: OutputOption = None) -> None:
    """Explain a network: source, knobs, blocks, rows, claims."""
    from mbprof.network.load import load
    from mbprof.pages.spec import spec_report

    print_report(spec_report(load(spec)), format, output)


@app.command(epilog="Example: mbprof verify mobilenet_v1")
def verify(
    specs: Annotated[
        list[str] | None, typer.Argument(metavar="[SPEC]...", help="specs; the whole zoo if none")
    ] = None,
    format: FormatOption = "rich",
    output: OutputOption = None,
) -> None:
    """Recompute what others published; status 1 if a claim fails."""
    from mbprof.output import layout
    from mbprof.published.verify import verdict_report
    from mbprof.published.verify import verify as recompute

    layout(format)
    verdicts = recompute(specs or ())
    print_report(verdict_report(verdicts), format, output)
    if not all(verdict.passed for verdict in verdicts):
        raise typer.Exit(1)


@app.command(epilog="Example: mbprof schema -o spec.schema.json")
def schema(output: OutputOption = None) -> None:
    """Print the JSON Schema of specs, for editors."""
    from mbprof.output.files import emit
    from mbprof.spec.schema import schema_text

    emit(schema_text(), output)
