"""Commands about designs: block, check, watch, compare, diff."""

from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from mbprof.cli.options import (
    BLOCKS,
    DESIGNS,
    AlphaOption,
    Budgets,
    ConventionOption,
    Counted,
    DtypeOption,
    ImageOption,
    Knobs,
    Output,
    Rows,
    SetOption,
    command,
    complain,
    hold_to,
    listed,
)
from mbprof.errors import Loc, MbprofError, Source, UsageError

if TYPE_CHECKING:
    from mbprof.language.source import Scalar
    from mbprof.network.load import Network

IgnoreOption = Annotated[
    str | None, Option("--ignore", metavar="A,B", help="codes, or how they begin")
]


@command(epilog="Example: mbprof block inv_res --in 56x56x24 --set c=24 --set t=6")
def block(
    *,
    block: Annotated[
        str,
        Argument(
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
    limits: Budgets,
    dtype: DtypeOption = None,
    to: Output,
) -> None:
    """Cost one block alone, beside other blocks of its width."""
    from mbprof.pages.block import block_network

    out, budget = to.open(), limits.budget(dtype)
    given = Knobs(alpha, settings=settings).typed()
    network = block_network(block, image, given, convention)
    out.table(network.report(out.layout), rows)
    hold_to(network, budget, Counted("all", convention))


@command(epilog="Example: mbprof check mobilenet_v2 --alpha 0.35 --max-macs 60M")
def check(
    *,
    specs: Annotated[
        list[str] | None,
        Argument(
            metavar="SPEC|BLOCK...", help="names, files, or SPEC:BLOCK", autocompletion=DESIGNS
        ),
    ] = None,
    image: ImageOption = None,
    knobs: Knobs,
    counted: Counted,
    limits: Budgets,
    dtype: DtypeOption = None,
    ignore: IgnoreOption = None,
    fail_on: Annotated[
        str, Option("--fail-on", metavar="WHAT", help="error, warning, advice or never")
    ] = "error",
    explain: Annotated[
        str | None, Option("--explain", metavar="CODE", help="explain a rule; all lists them")
    ] = None,
    rows: Rows,
    to: Output,
) -> None:
    """Say what is wrong or suspicious in a design; status 1 if it fails."""
    from mbprof.checks.run import examine, findings_report, rule_report, rules_report

    if explain is not None:
        out, code = to.open(), explain.upper()
        out.table(rules_report() if code == "ALL" else rule_report(code, out.layout), rows)
        return
    out = to.open("check")
    if not specs:
        raise UsageError("there is nothing to check", hint="give a spec, a block, or --explain all")
    given, budget, codes = knobs.typed(), limits.budget(dtype), listed((ignore or "").upper())
    scope, convention = counted
    found = [examine(spec, image, given, budget, codes, convention, scope) for spec in specs]
    failed = [each.fails(fail_on) for each in found]
    report = findings_report(found, rows.sort, rows.top, out.layout)
    out.table(report, Rows(columns=rows.columns))
    if any(failed):
        raise typer.Exit(1)


@command(epilog="Example: mbprof watch my_net.yaml --max-macs 300M")
def watch(
    *,
    file: Annotated[str, Argument(metavar="FILE", help="a spec or block; see mbprof check")],
    image: ImageOption = None,
    knobs: Knobs,
    counted: Counted,
    limits: Budgets,
    dtype: DtypeOption = None,
    ignore: IgnoreOption = None,
) -> None:
    """Check a file now and whenever it is saved, until interrupted."""
    from mbprof.checks.run import examine, findings_report
    from mbprof.cli.watch import saves

    given, budget, codes = knobs.typed(), limits.budget(dtype), listed((ignore or "").upper())
    scope, convention = counted
    for _ in saves(file):
        try:
            found = examine(file, image, given, budget, codes, convention, scope)
        except MbprofError as error:
            # The next save may put it right.
            complain(error)
        else:
            Output().open().write(findings_report([found]))


@command(epilog="Example: mbprof compare mobilenet_v2 mobilenet_v2,alpha=0.5")
def compare(
    *,
    specs: Annotated[
        list[str],
        Argument(
            metavar="SPEC[,KNOB=VALUE]...",
            help="two or more, each with its own knobs",
            autocompletion=DESIGNS,
        ),
    ],
    knobs: Knobs,
    counted: Counted,
    by: Annotated[
        str, Option("--by", metavar="WHAT", help="sum up by block, stage, layer or op")
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
        Argument(
            metavar="OLD",
            help="SPEC[,KNOB=VALUE...], or REV:PATH as git has it",
            autocompletion=DESIGNS,
        ),
    ],
    new: Annotated[str, Argument(metavar="NEW", help="the same", autocompletion=DESIGNS)],
    knobs: Knobs,
    counted: Counted,
    by: Annotated[str, Option("--by", metavar="WHAT", help="layer or block")] = "layer",
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


def networks_of(specs: list[str], given: "dict[str, Scalar]") -> "tuple[list[Network], list[str]]":
    """Build each network at what its argument says, else at what is given for all.

    Returns: the networks, and what each was called.
    """
    from mbprof.network.load import Spec, alone
    from mbprof.spec import zoo

    taken = [_settings(spec) for spec in specs]
    if sum(name == "-" for name, _ in taken) > 1:
        raise UsageError("- is given twice; standard input can be read once")
    networks = []
    for name, own in taken:
        knobs = {**given, **own}
        opened = zoo.open(name, given=knobs)
        if isinstance(opened, zoo.OpenedBlock):
            networks.append(Spec(alone(opened, None, knobs).definition).build())
            continue
        spec = Spec(opened.definition)
        try:
            networks.append(spec.build_at(knobs))
        except MbprofError as error:
            raise error.through(f"in the network {name}") from None
    return networks, [name for name, _ in taken]


def _settings(text: str) -> "tuple[str, dict[str, Scalar]]":
    """Take ``SPEC,KNOB=VALUE,...`` apart, from the right; a file is called as it is."""
    import re

    from mbprof.language.source import COMMAND_LINE, Scalar, is_file

    source = Source(COMMAND_LINE, text)
    spec, own = text, {}
    while not is_file(spec):
        found = re.fullmatch(r"(.+),\s*(\w+)=([^,]*)", spec, re.S)
        if found is None:
            break
        spec, name, value = found.groups()
        if name in own:
            raise UsageError(f"{text}: {name} is set twice")
        own[name] = Scalar(value, Loc(source, 1, found.start(3) + 1))
    if "," in spec and not is_file(spec) and ":" not in spec:
        raise UsageError(f"{text}: expected SPEC,KNOB=VALUE,...")
    return spec, own
