"""Commands that set networks side by side: compare, diff."""

from typing import Annotated

import typer

from mbprof.cli import complete
from mbprof.cli.app import command
from mbprof.cli.inputs import networks_of
from mbprof.cli.options import (
    AlphaOption,
    ColumnsOption,
    ConventionOption,
    FormatOption,
    OutputOption,
    ResOption,
    ScopeOption,
    SetOption,
    SortOption,
    TopOption,
    given_knobs,
    outlet,
)


@command(epilog="Example: mbprof compare mobilenet_v2 mobilenet_v2,alpha=0.5")
def compare(
    specs: Annotated[
        list[str],
        typer.Argument(
            metavar="SPEC[,KNOB=VALUE]...",
            help="two or more, each with its own knobs",
            autocompletion=complete.designs,
        ),
    ],
    alpha: AlphaOption = None,
    res: ResOption = None,
    settings: SetOption = None,
    scope: ScopeOption = None,
    convention: ConventionOption = "kernels",
    by: Annotated[
        str, typer.Option("--by", metavar="WHAT", help="sum up by block, stage, layer or op")
    ] = "block",
    sort: SortOption = None,
    top: TopOption = None,
    columns: ColumnsOption = None,
    format: FormatOption = None,
    output: OutputOption = None,
) -> None:
    """Set networks side by side, with ratios to the first."""
    from mbprof.compare.side_by_side import compare as side_by_side

    out = outlet(format, output)
    networks, asked = networks_of(specs, given_knobs(alpha, res, settings))
    found = side_by_side(*networks, by=by, scope=scope, convention=convention)
    out.table(found.report(out.layout, asked), sort, top, columns)


@command(epilog="Example: mbprof diff main:specs/x.yaml specs/x.yaml")
def diff(
    old: Annotated[
        str,
        typer.Argument(
            metavar="OLD",
            help="SPEC[,KNOB=VALUE...], or REV:PATH as git has it",
            autocompletion=complete.designs,
        ),
    ],
    new: Annotated[
        str, typer.Argument(metavar="NEW", help="the same", autocompletion=complete.designs)
    ],
    alpha: AlphaOption = None,
    res: ResOption = None,
    settings: SetOption = None,
    scope: ScopeOption = None,
    convention: ConventionOption = "kernels",
    by: Annotated[str, typer.Option("--by", metavar="WHAT", help="layer or block")] = "layer",
    sort: SortOption = None,
    top: TopOption = None,
    columns: ColumnsOption = None,
    format: FormatOption = None,
    output: OutputOption = None,
) -> None:
    """Print what changed from one network to another, for a pull request."""
    from mbprof.compare.diff import diff as difference

    out = outlet(format, output, usual="md")
    networks, asked = networks_of([old, new], given_knobs(alpha, res, settings))
    found = difference(networks[0], networks[1], by=by, scope=scope, convention=convention)
    out.table(found.report(out.layout, top, (asked[0], asked[1]), sort), columns=columns)
