"""Commands that look at specs: list, show, verify, schema."""

from typing import Annotated

import typer

from mbprof.cli.options import (
    ConventionOption,
    Counted,
    DesignArgument,
    ImageOption,
    Knobs,
    OptionalSpecsArgument,
    Output,
    OutputOption,
    Rows,
    command,
)


@command(name="list", epilog="Example: mbprof list mobilenet")
def list_specs(
    *,
    text: Annotated[
        str, typer.Argument(metavar="[TEXT]", help="only names and families that hold it")
    ] = "",
    blocks: Annotated[bool, typer.Option("--blocks", help="list the block library")] = False,
    counted: Counted,
    rows: Rows,
    to: Output,
) -> None:
    """List the networks of the zoo by family, or the block library."""
    from mbprof.errors import UsageError
    from mbprof.pages.zoo import catalogue, library

    out, (scope, convention) = to.open(), counted
    if blocks and scope is not None:
        raise UsageError("a block has no scope", hint="leave --scope out")
    found = library(text, convention) if blocks else catalogue(text, convention, scope)
    out.table(found.report(out.layout), rows)


@command(epilog="Example: mbprof show mobilenet_v1@keras")
def show(
    *,
    spec: DesignArgument,
    image: ImageOption = None,
    knobs: Knobs,
    convention: ConventionOption = "kernels",
    to: Output,
) -> None:
    """Explain a network or a block: source, knobs, blocks, rows, claims."""
    from mbprof.pages.zoo import shown

    out = to.open()
    page = shown(spec, image, knobs.typed(), convention)
    out.write(page.report(out.layout))


@command(epilog="Example: mbprof verify mobilenet_v1")
def verify(*, specs: OptionalSpecsArgument = None, rows: Rows, to: Output) -> None:
    """Recompute what others published of specs, or of the zoo; status 1 if a claim fails."""
    from mbprof.published.verify import verify as recompute

    out = to.open()
    verdicts = recompute(*specs or ())
    out.table(verdicts.report(out.layout), rows)
    if not verdicts.passed:
        raise typer.Exit(1)


@command(epilog="Example: mbprof schema -o spec.schema.json")
def schema(output: OutputOption = None) -> None:
    """Print the JSON Schema of specs, for editors."""
    from mbprof.spec.schema import schema

    Output(None, output).open("schema", "json").write(schema())
