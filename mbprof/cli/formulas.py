"""The command that writes costs in closed form: formula."""

from typing import Annotated

import typer

from mbprof.cli.app import command
from mbprof.cli.options import (
    AlphaOption,
    ConventionOption,
    DesignArgument,
    FormatOption,
    OutputOption,
    ResOption,
    ScopeOption,
    SetOption,
    given_knobs,
    listed,
    outlet,
)


@command(epilog="Example: mbprof formula mobilenet_v2 --by net --format latex")
def formula(
    spec: DesignArgument,
    alpha: AlphaOption = None,
    res: ResOption = None,
    settings: SetOption = None,
    symbols: Annotated[
        str | None,
        typer.Option(
            "--symbols", "--in", metavar="A,B", help="more knobs that are, such as classes"
        ),
    ] = None,
    by: Annotated[
        str, typer.Option("--by", metavar="WHAT", help="a formula for each layer, block or the net")
    ] = "layer",
    of: Annotated[
        str,
        typer.Option("--of", metavar="COUNT", help="params, cost (or macs, flops by name) or both"),
    ] = "both",
    scope: ScopeOption = None,
    convention: ConventionOption = "kernels",
    format: FormatOption = None,
    output: OutputOption = None,
) -> None:
    """Write the cost in closed form, in alpha, H and W."""
    from mbprof.formulas import formula_at
    from mbprof.formulas.sheet import Sheet

    out = outlet(format, output, "formula")
    found = formula_at(
        spec,
        given_knobs(alpha, res, settings),
        by,
        listed(symbols),
        convention,
        scope,
    )
    out.write(Sheet.of(found, of))
