"""Commands about designs: block, check, watch, compare, diff."""

from typing import Annotated

import typer

from mbprof.cli.inputs import hold_to, networks_of
from mbprof.cli.options import (
    BLOCKS,
    DESIGNS,
    AlphaOption,
    ConventionOption,
    Counted,
    ImageOption,
    Knobs,
    Limits,
    Output,
    Rows,
    SetOption,
    command,
    listed,
)

IgnoreOption = Annotated[
    str | None, typer.Option("--ignore", metavar="A,B", help="codes, or how they begin")
]


@command(epilog="Example: mbprof block inv_res --in 56x56x24 --set c=24 --set t=6")
def block(
    *,
    block: Annotated[
        str,
        typer.Argument(
            metavar="BLOCK",
            help="a block of the library, its file, or SPEC:BLOCK",
            autocompletion=BLOCKS,
        ),
    ],
    image: ImageOption = None,
    alpha: AlphaOption = None,
    settings: SetOption = None,
    convention: ConventionOption = "kernels",
    rows: Rows,
    limits: Limits,
    to: Output,
) -> None:
    """Cost one block alone, beside other blocks of its width."""
    from mbprof.pages.block import block_network

    out, budget = to.open(), limits.budget()
    given = Knobs(alpha, settings=settings).typed()
    network = block_network(block, image, given, convention)
    out.table(network.report(out.layout), rows)
    hold_to(network, budget, Counted("all", convention))


@command(epilog="Example: mbprof check mobilenet_v2 --alpha 0.35 --max-macs 60M")
def check(
    *,
    specs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SPEC|BLOCK...",
            help="names, files, or SPEC:BLOCK",
            autocompletion=DESIGNS,
        ),
    ] = None,
    image: ImageOption = None,
    knobs: Knobs,
    counted: Counted,
    limits: Limits,
    ignore: IgnoreOption = None,
    fail_on: Annotated[
        str,
        typer.Option("--fail-on", metavar="WHAT", help="error, warning, advice or never"),
    ] = "error",
    explain: Annotated[
        str | None,
        typer.Option("--explain", metavar="CODE", help="explain a rule; all lists them"),
    ] = None,
    rows: Rows,
    to: Output,
) -> None:
    """Say what is wrong or suspicious in a design; status 1 if it fails."""
    from mbprof.checks.report import findings_report, rule_report, rules_report
    from mbprof.checks.run import examine
    from mbprof.errors import UsageError

    if explain is not None:
        rules = rules_report() if explain == "all" else rule_report(explain.upper())
        to.open().table(rules, rows)
        return
    out = to.open("check")
    if not specs:
        raise UsageError("there is nothing to check", hint="give a spec, a block, or --explain all")
    given, budget, codes = knobs.typed(), limits.budget(), listed((ignore or "").upper())
    scope, convention = counted
    found = [examine(spec, image, given, budget, codes, convention, scope) for spec in specs]
    failed = [each.fails(fail_on) for each in found]
    out.table(findings_report(found, rows.sort, rows.top), Rows(columns=rows.columns))
    if any(failed):
        raise typer.Exit(1)


@command(epilog="Example: mbprof watch my_net.yaml --max-macs 300M")
def watch(
    *,
    file: Annotated[str, typer.Argument(metavar="FILE", help="a spec or block; see mbprof check")],
    image: ImageOption = None,
    knobs: Knobs,
    counted: Counted,
    limits: Limits,
    ignore: IgnoreOption = None,
) -> None:
    """Check a file now and whenever it is saved, until interrupted."""
    from mbprof.checks.report import findings_report
    from mbprof.checks.run import examine
    from mbprof.cli.watch import saves
    from mbprof.errors import MbprofError

    given, budget, codes = knobs.typed(), limits.budget(), listed((ignore or "").upper())
    scope, convention = counted
    for _ in saves(file):
        try:
            found = examine(file, image, given, budget, codes, convention, scope)
        except MbprofError as error:
            # The next save may put it right.
            typer.echo(str(error), err=True)
        else:
            Output().open().write(findings_report([found]))


@command(epilog="Example: mbprof compare mobilenet_v2 mobilenet_v2,alpha=0.5")
def compare(
    *,
    specs: Annotated[
        list[str],
        typer.Argument(
            metavar="SPEC[,KNOB=VALUE]...",
            help="two or more, each with its own knobs",
            autocompletion=DESIGNS,
        ),
    ],
    knobs: Knobs,
    counted: Counted,
    by: Annotated[
        str, typer.Option("--by", metavar="WHAT", help="sum up by block, stage, layer or op")
    ] = "block",
    rows: Rows,
    to: Output,
) -> None:
    """Set networks side by side, with ratios to the first."""
    from mbprof.compare.side_by_side import compare as side_by_side

    out = to.open()
    networks, asked = networks_of(specs, knobs.typed())
    found = side_by_side(*networks, by=by, **counted._asdict())
    out.table(found.report(out.layout, asked), rows)


@command(epilog="Example: mbprof diff main:specs/x.yaml specs/x.yaml")
def diff(
    *,
    old: Annotated[
        str,
        typer.Argument(
            metavar="OLD",
            help="SPEC[,KNOB=VALUE...], or REV:PATH as git has it",
            autocompletion=DESIGNS,
        ),
    ],
    new: Annotated[str, typer.Argument(metavar="NEW", help="the same", autocompletion=DESIGNS)],
    knobs: Knobs,
    counted: Counted,
    by: Annotated[str, typer.Option("--by", metavar="WHAT", help="layer or block")] = "layer",
    rows: Rows,
    to: Output,
) -> None:
    """Print what changed from one network to another, for a pull request."""
    from mbprof.compare.diff import diff as difference

    out = to.open(usual="md")
    networks, asked = networks_of([old, new], knobs.typed())
    found = difference(networks[0], networks[1], by=by, **counted._asdict())
    report = found.report(out.layout, rows.top, (asked[0], asked[1]), rows.sort)
    out.table(report, Rows(columns=rows.columns))
