"""What commands share: options, the network that they describe, where a report goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mbprof.cli import complete

if TYPE_CHECKING:
    from mbprof.errors import Loc
    from mbprof.network.load import Network, Spec
    from mbprof.output import Report
    from mbprof.spec.budget import Budget

HELP = "help"
"""What is asked of ``--columns`` to list them."""

SpecArgument = Annotated[
    str,
    typer.Argument(
        metavar="SPEC",
        help="a name of mbprof list, a file, REV:PATH, or -",
        autocompletion=complete.specs,
    ),
]
SpecsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="SPEC...",
        help="names of mbprof list, or files",
        autocompletion=complete.specs,
    ),
]
OptionalSpecsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[SPEC]...",
        help="names of mbprof list, or files",
        autocompletion=complete.specs,
    ),
]
DesignArgument = Annotated[
    str,
    typer.Argument(
        metavar="SPEC|BLOCK",
        help="a spec; or a block, SPEC:BLOCK, a block's file",
        autocompletion=complete.designs,
    ),
]
AlphaOption = Annotated[str | None, typer.Option("--alpha", metavar="X", help="width multiplier")]
ResOption = Annotated[str | None, typer.Option("--res", metavar="N|HxW", help="input resolution")]
AlphasOption = Annotated[
    str | None, typer.Option("--alpha", metavar="VALUES", help="0.5,1.0 or START:STOP:STEP")
]
ResolutionsOption = Annotated[
    str | None, typer.Option("--res", metavar="VALUES", help="the same of resolutions")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="set any knob or argument; repeatable"),
]
ImageOption = Annotated[
    str | None,
    typer.Option("--in", metavar="HxWxC", help="the input of a block; its example's if none"),
]
SortOption = Annotated[
    str | None,
    typer.Option(
        "--sort",
        metavar="COLUMN",
        help="numbers from large to small, words from A to Z",
    ),
]
TopOption = Annotated[int | None, typer.Option("--top", metavar="N", help="show the first N rows")]
ColumnsOption = Annotated[
    str | None,
    typer.Option("--columns", metavar="A,B,C", help="which columns to show; help lists them"),
]
FormatOption = Annotated[
    str, typer.Option("--format", metavar="FORMAT", help="rich, md, csv, json or html")
]
ScopeOption = Annotated[
    str | None,
    typer.Option("--scope", metavar="SCOPE", help="body or all", autocompletion=complete.scopes),
]
ConventionOption = Annotated[
    str,
    typer.Option(
        "--convention",
        metavar="NAME|FILE",
        help="what counts",
        autocompletion=complete.conventions,
    ),
]
MaxMacsOption = Annotated[
    str | None, typer.Option("--max-macs", metavar="N", help="a budget, such as 300M")
]
MaxParamsOption = Annotated[
    str | None, typer.Option("--max-params", metavar="N", help="a budget, such as 4M")
]
OutputOption = Annotated[
    str | None, typer.Option("-o", "--output", metavar="FILE", help="write to a file")
]


def given_knobs(
    alpha: str | None, res: str | None, settings: list[str] | None
) -> dict[str, tuple[str, Loc]]:
    """Return what was typed for each knob, and where."""
    from mbprof.errors import Loc, Source, UsageError

    typed = {"alpha": alpha, "res": res}
    given = {name: (f"--{name} ", value) for name, value in typed.items() if value is not None}
    for setting in settings or ():
        name, equals, value = setting.partition("=")
        if not equals:
            raise UsageError(f"--set {setting}: expected NAME=VALUE")
        if name in given:
            raise UsageError(f"{name} is set twice")
        given[name] = (f"--set {name}=", value)
    return {
        name: (value, Loc(Source("command line", option + value), 1, len(option) + 1))
        for name, (option, value) in given.items()
    }


def limits_of(max_macs: str | None, max_params: str | None) -> Budget:
    """Return the budget that the command line gives."""
    from mbprof.errors import Loc, Source
    from mbprof.language.source import Scalar
    from mbprof.spec.budget import Budget, limit

    found = {}
    for name, option, text in (
        ("macs", "--max-macs ", max_macs),
        ("params", "--max-params ", max_params),
    ):
        if text is not None:
            place = Loc(Source("command line", option + text), 1, len(option) + 1)
            found[name] = limit(Scalar(text, place))
    return Budget(**found)


def hold_to(
    spec: Spec,
    network: Network,
    limits: Budget,
    convention: str,
    scope: str | None,
    alone: bool = False,
) -> None:
    """Say on stderr what exceeds a budget, and stop with status 1 if anything does."""
    if limits.params is None and limits.macs is None:
        return
    from mbprof.checks.model import Subject
    from mbprof.checks.rules.budget import exceeded

    subject = Subject(spec, network, alone, scope or spec.definition.scope, convention)
    over = list(exceeded(subject, limits))
    for excess in over:
        typer.echo(f"MB901: {excess.message}", err=True)
    if over:
        raise typer.Exit(1)


def network_of(
    spec: str, alpha: str | None, res: str | None, settings: list[str] | None
) -> Network:
    """Build the network that the command line describes; errors point into it."""
    from mbprof.language.values import parse
    from mbprof.network.load import load

    given = given_knobs(alpha, res, settings)
    knobs = {name: parse(value) for name, (value, _) in given.items()}
    return load(spec).build_at(knobs, {name: loc for name, (_, loc) in given.items()})


def listed(text: str | None) -> list[str]:
    """Return the parts of a list with commas between them."""
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def named(columns: str | None) -> list[str] | None:
    """Return the columns that are asked for; None where there are none, or their list is."""
    return None if columns is None or columns == HELP else listed(columns)


def print_report(
    report: Report,
    format: str,
    output: str | None,
    sort: str | None = None,
    top: int | None = None,
    columns: str | None = None,
) -> None:
    """Write a report in a format, to a file or fitted to the terminal.

    Its rows and columns are those asked for; where ``columns`` asks for help, its columns.
    """
    import shutil

    from mbprof.output import arranged, columns_report, render
    from mbprof.output.files import emit

    arrangement = arranged(report, sort, top, named(columns))
    report = columns_report(report) if columns == HELP else arrangement
    emit(render(report, format, shutil.get_terminal_size((80, 24)).columns), output)
