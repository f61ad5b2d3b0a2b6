"""Commands that set networks side by side: compare, diff."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mbprof.cli.app import app
from mbprof.cli.options import (
    AlphaOption,
    ConventionOption,
    FormatOption,
    OutputOption,
    ResOption,
    ScopeOption,
    SetOption,
    given_knobs,
    print_report,
)

if TYPE_CHECKING:
    from mbprof.errors import Loc
    from mbprof.network import Network

Given = dict[str, tuple[str, "Loc"]]


@app.command(epilog="Example: mbprof compare mobilenet_v2 mobilenet_v2,alpha=0.5")
def compare(
    specs: Annotated[
        list[str],
        typer.Argument(metavar="SPEC[,KNOB=VALUE]...", help="two or more, each with its own knobs"),
    ],
    alpha: AlphaOption = None,
    res: ResOption = None,
    settings: SetOption = None,
    scope: ScopeOption = None,
    convention: ConventionOption = "kernels",
    by: Annotated[
        str, typer.Option("--by", metavar="WHAT", help="sum up by block, stage, layer or op")
    ] = "block",
    format: FormatOption = "rich",
    output: OutputOption = None,
) -> None:
    """Set networks side by side, with ratios to the first."""
    from mbprof.comparing import compare as side_by_side
    from mbprof.comparing import comparison_report
    from mbprof.reports import layout

    chosen = layout(format)
    networks, asked = networks_of(specs, given_knobs(alpha, res, settings))
    found = side_by_side(*networks, by=by, scope=scope, convention=convention)
    print_report(comparison_report(found, chosen, asked), format, output)


@app.command(epilog="Example: mbprof diff main:specs/x.yaml specs/x.yaml")
def diff(
    old: Annotated[
        str, typer.Argument(metavar="OLD", help="SPEC[,KNOB=VALUE...], or REV:PATH as git has it")
    ],
    new: Annotated[str, typer.Argument(metavar="NEW", help="the same")],
    alpha: AlphaOption = None,
    res: ResOption = None,
    settings: SetOption = None,
    scope: ScopeOption = None,
    convention: ConventionOption = "kernels",
    by: Annotated[str, typer.Option("--by", metavar="WHAT", help="layer or block")] = "layer",
    top: Annotated[
        int | None, typer.Option("--top", metavar="N", help="show the N largest rows")
    ] = None,
    format: FormatOption = "md",
    output: OutputOption = None,
) -> None:
    """Print what changed from one network to another, for a pull request."""
    from mbprof.changes import difference_report
    from mbprof.differing import diff as difference
    from mbprof.reports import layout

    chosen = layout(format)
    networks, asked = networks_of([old, new], given_knobs(alpha, res, settings))
    found = difference(networks[0], networks[1], by=by, scope=scope, convention=convention)
    report = difference_report(found, chosen, top, (asked[0], asked[1]))
    print_report(report, format, output)


def networks_of(specs: list[str], given: Given) -> tuple[list[Network], list[str]]:
    """Build each network at what its argument says, else at what is given for all.

    Returns: the networks, and what each was called.
    """
    from mbprof.errors import MbprofError, UsageError
    from mbprof.network import load
    from mbprof.spec.knobs import parse

    taken = [_settings(spec) for spec in specs]
    if sum(name == "-" for name, _ in taken) > 1:
        raise UsageError("- is given twice; standard input can be read once")
    networks = []
    for name, own in taken:
        knobs = {**given, **own}
        values = {knob: parse(text) for knob, (text, _) in knobs.items()}
        spec = load(name)
        try:
            networks.append(spec.build_at(values, {k: loc for k, (_, loc) in knobs.items()}))
        except MbprofError as error:
            raise error.through(f"in the network {name}") from None
    return networks, [name for name, _ in taken]


def _settings(text: str) -> tuple[str, Given]:
    """Take ``SPEC,KNOB=VALUE,...`` apart, from the right; a file is called as it is."""
    import re
    from pathlib import Path

    from mbprof.errors import Loc, Source, UsageError

    source = Source("command line", text)
    spec, own = text, {}
    while not Path(spec).is_file():
        found = re.fullmatch(r"(.+),\s*(\w+)=([^,]*)", spec, re.S)
        if found is None:
            break
        spec, name, value = found.groups()
        if name in own:
            raise UsageError(f"{text}: {name} is set twice")
        own[name] = (value, Loc(source, 1, found.start(3) + 1))
    if "," in spec and not Path(spec).is_file() and ":" not in spec:
        raise UsageError(f"{text}: expected SPEC,KNOB=VALUE,...")
    return spec, own
