"""The command that writes costs in closed form: formula."""

from typing import Annotated

import typer

from mbprof.cli.app import app
from mbprof.cli.options import (
    AlphaOption,
    ConventionOption,
    DesignArgument,
    OutputOption,
    ResOption,
    ScopeOption,
    SetOption,
    given_knobs,
    listed,
)


@app.command(epilog="Example: mbprof formula mobilenet_v2 --by net --format latex")
def formula(
    spec: DesignArgument,
    alpha: AlphaOption = None,
    res: ResOption = None,
    settings: SetOption = None,
    symbols: Annotated[
        str | None,
        typer.Option("--symbols", metavar="A,B", help="more knobs that are, such as classes"),
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
    format: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="text, latex, md or json")
    ] = "text",
    output: OutputOption = None,
) -> None:
    """Write the cost in closed form, in alpha, H and W."""
    import shutil

    from mbprof.formulas import formula_at
    from mbprof.formulas.sheet import render
    from mbprof.language.values import parse
    from mbprof.output.files import emit

    given = given_knobs(alpha, res, settings)
    found = formula_at(
        spec,
        {name: parse(value) for name, (value, _) in given.items()},
        {name: loc for name, (_, loc) in given.items()},
        by,
        listed(symbols),
        convention,
        scope,
    )
    emit(render(found, format, of, shutil.get_terminal_size((80, 24)).columns), output)
