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
    from mbprof.pages.zoo import catalogue

    out = outlet(format, output)
    out.write(catalogue(text).report(out.layout))


@command(epilog="Example: mbprof show mobilenet_v1@keras")
def show(spec: SpecArgument, format: FormatOption = "rich", output: OutputOption = None) -> None:
    """Explain a network: source, knobs, blocks, rows, claims."""
    from mbprof.pages import spec as page

    out = outlet(format, output)
    out.write(page.show(spec).report(out.layout))


@command(epilog="Example: mbprof verify mobilenet_v1")
def verify(
    specs: Annotated[
        list[str] | None, typer.Argument(metavar="[SPEC]...", help="specs; the whole zoo if none")
    ] = None,
    format: FormatOption = None,
    output: OutputOption = None,
) -> None:
    """Recompute what others published; status 1 if a claim fails."""
    from mbprof.published.verify import verify as recompute

    out = outlet(format, output)
    verdicts = recompute(*specs or ())
    out.write(verdicts.report(out.layout))
    if not verdicts.passed:
        raise typer.Exit(1)


@command(epilog="Example: mbprof schema -o spec.schema.json")
def schema(output: OutputOption = None) -> None:
    """Print the JSON Schema of specs, for editors."""
    from mbprof.spec.schema import schema

    outlet(None, output, "schema").write(schema())
