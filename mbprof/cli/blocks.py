"""Commands about designs: block."""

from __future__ import annotations

from typing import Annotated

import typer

from mbprof.cli.app import app
from mbprof.cli.options import (
    ConventionOption,
    FormatOption,
    OutputOption,
    given_knobs,
    print_report,
)


@app.command(epilog="Example: mbprof block inv_res --in 56x56x24 --set c=24 --set t=6")
def block(
    block: Annotated[
        str,
        typer.Argument(metavar="BLOCK", help="a block of the library, its file, or SPEC:BLOCK"),
    ],
    image: Annotated[
        str | None, typer.Option("--in", metavar="HxWxC", help="the input; the example's if none")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="set an argument; repeatable"),
    ] = None,
    convention: ConventionOption = "kernels",
    format: FormatOption = "rich",
    output: OutputOption = None,
) -> None:
    """Cost one block alone, beside other blocks of its width."""
    from mbprof.alone import alone
    from mbprof.alternatives import block_report
    from mbprof.reports import layout

    chosen = layout(format)
    found = alone(block, image, given_knobs(None, None, settings))
    print_report(block_report(found, convention, chosen), format, output)
