"""Commands that look at specs: list, show, verify, schema."""

from typing import Annotated

import typer

from mbprof.cli.app import command
from mbprof.cli.options import FormatOption, OutputOption, SpecArgument, outlet


@command(name="list", epilog="Example: mbprof list mobilenet")
def list_specs(
    text: Annotated[
        str, typer.Argument(metavar="[TEXT]", help="only names and families that hold it")
    ] = "",
    format: FormatOption = None,
    output: OutputOption = None,
) -> None:
    """List the networks of the zoo by family."""
    from mbprof.pages.zoo import catalogue_report

    out = outlet(format, output)
    out.write(catalogue_report(text))


@command(epilog="Example: mbprof show mobilenet_v1@keras")
def show(spec: SpecArgument, format: FormatOption = "rich", output: OutputOption = None) -> None:
    """Explain a network: source, knobs, blocks, rows, claims."""
    from mbprof.network.load import load
    from mbprof.pages.spec import spec_report

    out = outlet(format, output)
    out.write(spec_report(load(spec)))


@command(epilog="Example: mbprof verify mobilenet_v1")
def verify(
    specs: Annotated[
        list[str] | None, typer.Argument(metavar="[SPEC]...", help="specs; the whole zoo if none")
    ] = None,
    format: FormatOption = None,
    output: OutputOption = None,
) -> None:
    """Recompute what others published; status 1 if a claim fails."""
    from mbprof.published.verify import verdict_report
    from mbprof.published.verify import verify as recompute

    out = outlet(format, output)
    verdicts = recompute(specs or ())
    out.write(verdict_report(verdicts))
    if not all(verdict.passed for verdict in verdicts):
        raise typer.Exit(1)


@command(epilog="Example: mbprof schema -o spec.schema.json")
def schema(output: OutputOption = None) -> None:
    """Print the JSON Schema of specs, for editors."""
    from mbprof.spec.schema import schema

    outlet(None, output, "schema").write(schema())
