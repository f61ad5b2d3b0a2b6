"""Commands that look at specs: list, show, verify, schema."""

from typing import Annotated

import typer

from mbprof.cli.app import app
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
    network_of,
    print_report,
)


@app.command(name="list", epilog="Example: mbprof list mobilenet")
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
    format: FormatOption = "rich",
    output: OutputOption = None,
) -> None:
    """List the networks of the zoo by family, or the block library."""
    from mbprof.errors import UsageError
    from mbprof.output import layout
    from mbprof.pages.zoo import blocks_report, catalogue_report

    layout(format)
    if blocks and scope is not None:
        raise UsageError("a block has no scope", hint="leave --scope out")
    report = (
        blocks_report(text, convention) if blocks else catalogue_report(text, convention, scope)
    )
    print_report(report, format, output, sort, top, columns)


@app.command(epilog="Example: mbprof show mobilenet_v1@keras")
def show(
    spec: DesignArgument,
    image: ImageOption = None,
    alpha: AlphaOption = None,
    res: ResOption = None,
    settings: SetOption = None,
    convention: ConventionOption = "kernels",
    format: FormatOption = "rich",
    output: OutputOption = None,
) -> None:
    """Explain a network or a block: source, knobs, blocks, rows, claims."""
    from mbprof.errors import UsageError
    from mbprof.network.block import alone, is_block
    from mbprof.pages.spec import lone_report, spec_report

    if is_block(spec):
        block = alone(spec, image, given_knobs(alpha, res, settings))
        report = lone_report(block, convention)
    elif image is not None:
        raise UsageError("--in gives a block its input; a spec has its own", hint="use --res")
    else:
        report = spec_report(network_of(spec, alpha, res, settings), convention)
    print_report(report, format, output)


@app.command(epilog="Example: mbprof verify mobilenet_v1")
def verify(
    specs: OptionalSpecsArgument = None,
    sort: SortOption = None,
    top: TopOption = None,
    columns: ColumnsOption = None,
    format: FormatOption = "rich",
    output: OutputOption = None,
) -> None:
    """Recompute what others published of specs, or of the zoo; status 1 if a claim fails."""
    from mbprof.output import layout
    from mbprof.published.verify import verdict_report
    from mbprof.published.verify import verify as recompute

    layout(format)
    verdicts = recompute(specs or ())
    print_report(verdict_report(verdicts), format, output, sort, top, columns)
    if not all(verdict.passed for verdict in verdicts):
        raise typer.Exit(1)


@app.command(epilog="Example: mbprof schema -o spec.schema.json")
def schema(output: OutputOption = None) -> None:
    """Print the JSON Schema of specs, for editors."""
    from mbprof.output.files import emit
    from mbprof.spec.schema import schema_text

    emit(schema_text(), output)
