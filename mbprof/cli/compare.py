"""Commands that set networks side by side: compare, diff."""

from typing import Annotated

import typer

from mbprof.cli import complete
from mbprof.cli.app import app
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
    print_report,
)


@app.command(epilog="Example: mbprof compare mobilenet_v2 mobilenet_v2,alpha=0.5")
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
    format: FormatOption = "rich",
    output: OutputOption = None,
) -> None:
    """Set networks side by side, with ratios to the first."""
    from mbprof.compare.side_by_side import compare as side_by_side
    from mbprof.compare.side_by_side import comparison_report
    from mbprof.output import layout

    chosen = layout(format)
    networks, asked = networks_of(specs, given_knobs(alpha, res, settings))
    found = side_by_side(*networks, by=by, scope=scope, convention=convention)
    print_report(comparison_report(found, chosen, asked), format, output, sort, top, columns)


@app.command(epilog="Example: mbprof diff main:specs/x.yaml specs/x.yaml")
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
    format: FormatOption = "md",
    output: OutputOption = None,
) -> None:
    """Print what changed from one network to another, for a pull request."""
    from mbprof.compare.diff import diff as difference
    from mbprof.compare.diff_report import difference_report
    from mbprof.output import layout

    chosen = layout(format)
    networks, asked = networks_of([old, new], given_knobs(alpha, res, settings))
    found = difference(networks[0], networks[1], by=by, scope=scope, convention=convention)
    report = difference_report(found, chosen, top, (asked[0], asked[1]), sort)
    print_report(report, format, output, columns=columns)
