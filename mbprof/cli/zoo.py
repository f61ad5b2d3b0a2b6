"""Commands that look at specs: list, show, verify, schema."""

from typing import Annotated

import typer

from mbprof.cli.app import command
from mbprof.cli.options import (
    AlphaOption,
    ColumnsOption,
    ConventionOption,
    DesignArgument,
    FormatOption,
    ImageOption,
    OptionalSpecsArgument,
    OutputOption,
    ResOption,
    ScopeOption,
    SetOption,
    SortOption,
    TopOption,
    given_knobs,
    outlet,
)


@command(name="list", epilog="Example: mbprof list mobilenet")
def list_specs(
    text: Annotated[
        str, typer.Argument(metavar="[TEXT]", help="only names and families that hold it")
    ] = "",
    blocks: Annotated[bool, typer.Option("--blocks", help="list the block library")] = False,
    scope: ScopeOption = None,
    convention: ConventionOption = "kernels",
    sort: SortOption = None,
    top: TopOption = None,
    columns: ColumnsOption = None,
    format: FormatOption = None,
    output: OutputOption = None,
) -> None:
    """List the networks of the zoo by family, or the block library."""
    from mbprof.errors import UsageError
    from mbprof.pages.zoo import catalogue, library

    out = outlet(format, output)
    if blocks and scope is not None:
        raise UsageError("a block has no scope", hint="leave --scope out")
    found = library(text, convention) if blocks else catalogue(text, convention, scope)
    out.table(found.report(out.layout), sort, top, columns)


@command(epilog="Example: mbprof show mobilenet_v1@keras")
def show(
    spec: DesignArgument,
    image: ImageOption = None,
    alpha: AlphaOption = None,
    res: ResOption = None,
    settings: SetOption = None,
    convention: ConventionOption = "kernels",
    format: FormatOption = None,
    output: OutputOption = None,
) -> None:
    """Explain a network or a block: source, knobs, blocks, rows, claims."""
    from mbprof.pages.spec import shown

    out = outlet(format, output)
    page = shown(spec, image, given_knobs(alpha, res, settings), convention)
    out.write(page.report(out.layout))


@command(epilog="Example: mbprof verify mobilenet_v1")
def verify(
    specs: OptionalSpecsArgument = None,
    sort: SortOption = None,
    top: TopOption = None,
    columns: ColumnsOption = None,
    format: FormatOption = None,
    output: OutputOption = None,
) -> None:
    """Recompute what others published of specs, or of the zoo; status 1 if a claim fails."""
    from mbprof.published.verify import verify as recompute

    out = outlet(format, output)
    verdicts = recompute(*specs or ())
    out.table(verdicts.report(out.layout), sort, top, columns)
    if not verdicts.passed:
        raise typer.Exit(1)


@command(epilog="Example: mbprof schema -o spec.schema.json")
def schema(output: OutputOption = None) -> None:
    """Print the JSON Schema of specs, for editors."""
    from mbprof.spec.schema import schema

    outlet(None, output, "schema", "json").write(schema())
