"""What commands share: options, the network that they describe, where a report goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand

from mbprof.cli import complete

if TYPE_CHECKING:
    from mbprof.language.source import Scalar
    from mbprof.network.load import Network
    from mbprof.output import Format, Formats, Report, Screen
    from mbprof.spec.sections import Budget

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
    str | None, typer.Option("--format", metavar="FORMAT", help="how to write a report")
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
) -> dict[str, Scalar]:
    """Return what was typed for each knob."""
    from mbprof.errors import UsageError
    from mbprof.language.source import Scalar

    options = {"alpha": alpha, "res": res}
    given = {
        name: Scalar.typed(f"--{name} ", value)
        for name, value in options.items()
        if value is not None
    }
    for setting in settings or ():
        name, equals, value = setting.partition("=")
        if not equals:
            raise UsageError(f"--set {setting}: expected NAME=VALUE")
        if name in given:
            raise UsageError(f"{name} is set twice")
        given[name] = Scalar.typed(f"--set {name}=", value)
    return given


def limits_of(max_macs: str | None, max_params: str | None) -> Budget:
    """Return the budget that the command line gives."""
    from mbprof.language.source import Scalar
    from mbprof.spec.sections import Budget, limit

    return Budget(
        **{
            name: limit(Scalar.typed(f"--max-{name} ", text), name)
            for name, text in (("macs", max_macs), ("params", max_params))
            if text is not None
        }
    )


def hold_to(network: Network, limits: Budget, convention: str, scope: str | None) -> None:
    """Say on stderr what exceeds a budget, and stop with status 1 if anything does."""
    if limits.params is None and limits.macs is None:
        return
    from mbprof.checks.model import Subject
    from mbprof.checks.rules.broken import exceeded

    subject = Subject(network, scope or network.definition.scope, convention)
    over = list(exceeded(subject, limits))
    for excess in over:
        typer.echo(f"MB901: {excess.message}", err=True)
    if over:
        raise typer.Exit(1)


def network_of(
    spec: str, alpha: str | None, res: str | None, settings: list[str] | None
) -> Network:
    """Build the network that the command line describes; errors point into it."""
    from mbprof.network.load import load

    return load(spec).build_at(given_knobs(alpha, res, settings))


KINDS = {
    "table": ("mbprof.output.writers", "REPORTS"),
    "check": ("mbprof.checks.run", "FINDINGS"),
    "formula": ("mbprof.formulas.sheet", "FORMATS"),
    "sweep": ("mbprof.sweeps.write", "SWEEPS"),
    "plot": ("mbprof.pages.plot", "CHARTS"),
    "schema": ("mbprof.spec.schema", "FORMATS"),
}
"""Where the formats of each kind of result are registered; it is named as the command has it."""


def formats_of(kind: str) -> Formats[Any]:
    """Return the formats of what a command writes: its own kind, or else a table."""
    from importlib import import_module

    module, name = KINDS.get(kind, KINDS["table"])
    formats: Formats[Any] = getattr(import_module(module), name)
    return formats


class Command(TyperCommand):
    """A command whose help lists the formats that are registered."""

    def get_help(self, ctx: Any) -> str:
        """Return the help; only then the formats are looked at, which takes imports."""
        from mbprof.language import fmt

        for option in self.params:
            if option.name == "format":
                names = fmt.either(formats_of(self.name or ""))
                option.help = f"{names}; else as FILE ends"  # type: ignore[attr-defined]
        return super().get_help(ctx)


class Outlet(NamedTuple):
    """Where a command writes, and how."""

    format: Format[Any]
    path: str | None
    screen: Screen

    @property
    def layout(self) -> str:
        """Which columns the format shows."""
        return self.format.layout

    def write(self, report: Any) -> None:
        """Write a report, or whatever the format is of."""
        from mbprof.output.files import emit

        emit(self.format.write(report, self.screen), self.path)

    def table(
        self,
        report: Report,
        sort: str | None = None,
        top: int | None = None,
        columns: str | None = None,
    ) -> None:
        """Write the rows and columns of a report that are asked for, or the list of its columns."""
        from mbprof.output import arranged, columns_report

        shown = arranged(report, sort, top, named(columns))
        self.write(columns_report(report) if columns == HELP else shown)


def listed(text: str | None) -> list[str]:
    """Return the parts of a list with commas between them."""
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def named(columns: str | None) -> list[str] | None:
    """Return the columns that are asked for; None where there are none, or their list is."""
    return None if columns is None or columns == HELP else listed(columns)


def outlet(
    format: str | None, output: str | None, kind: str = "table", usual: str | None = None
) -> Outlet:
    """Return where to write in which format: that of ``--format``, of the file, or the usual one.

    Raises: UsageError: no such format, not one of this command, or the file's ending says another.
    """
    from pathlib import PurePath

    from mbprof.errors import UsageError
    from mbprof.output.writers import screen_for

    formats = formats_of(kind)
    strange = format if format is not None and format not in formats else None
    unplaced = output is not None and PurePath(output).suffix and formats.of_file(output) is None
    for other in KINDS if strange or unplaced else ():
        others = formats_of(other)
        if said := others.get(strange) if strange else others.of_file(output):
            what = strange or f"{output}: {said.name}"
            here = ", ".join(formats)
            raise UsageError(f"{what} is a format of mbprof {other}", hint=f"known are {here}")
    return Outlet(formats.choose(format, output, usual), output, screen_for(output))
