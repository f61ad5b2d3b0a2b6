"""The command line's root, and what commands share: options, and where a report goes.

Modules with commands do not postpone annotations: typer would compile every one of them from its
text, which takes a tenth of the time of a whole run.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import update_wrapper
from inspect import Parameter, Signature, signature
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer
from typer import Argument, Option
from typer.core import TyperCommand

from mbprof.errors import MbprofError, UsageError
from mbprof.language.record import NamedTuple

if TYPE_CHECKING:
    from mbprof.language.source import Scalar
    from mbprof.network.load import Network
    from mbprof.output import Format, Formats, Report, Screen
    from mbprof.spec.sections import Budget

HELP = "help"
"""What is asked of ``--columns`` to list them."""
INTERRUPTED = "interrupted; no file was written"
"""What a sweep says that is interrupted."""


def _names(kind: str) -> Sequence[str]:
    if kind == "conventions":
        from mbprof.network.conventions import names

        return names()
    if kind == "scopes":
        from mbprof.spec.sections import SCOPES

        return SCOPES
    from mbprof.spec.zoo import block_names, spec_names

    return spec_names() if kind == "specs" else block_names()


def _completes(*kinds: str) -> Callable[[str], list[str]] | None:
    """Return what completes a beginning, where a shell asks: other runs do not pay for it."""

    def complete(incomplete: str) -> list[str]:
        return [name for kind in kinds for name in _names(kind) if name.startswith(incomplete)]

    return complete if "_MBPROF_COMPLETE" in os.environ else None


SPECS, BLOCKS, DESIGNS = _completes("specs"), _completes("blocks"), _completes("specs", "blocks")
"""What completes a spec, a block, and either."""

SpecArgument = Annotated[
    str,
    Argument(
        metavar="SPEC", help="a name of mbprof list, a file, REV:PATH, or -", autocompletion=SPECS
    ),
]
SpecsArgument = Annotated[
    list[str],
    Argument(metavar="SPEC...", help="names of mbprof list, or files", autocompletion=SPECS),
]
OptionalSpecsArgument = Annotated[
    list[str] | None,
    Argument(metavar="[SPEC]...", help="names of mbprof list, or files", autocompletion=SPECS),
]
DesignArgument = Annotated[
    str,
    Argument(
        metavar="SPEC|BLOCK",
        help="a spec; or a block, SPEC:BLOCK, a block's file",
        autocompletion=DESIGNS,
    ),
]
AlphaOption = Annotated[str | None, Option("--alpha", metavar="X", help="width multiplier")]
AlphasOption = Annotated[
    str | None, Option("--alpha", metavar="VALUES", help="0.5,1.0 or START:STOP:STEP")
]
ResolutionsOption = Annotated[
    str | None, Option("--res", metavar="VALUES", help="the same of resolutions")
]
SetOption = Annotated[
    list[str] | None,
    Option("--set", metavar="NAME=VALUE", help="set any knob or argument; repeatable"),
]
ImageOption = Annotated[
    list[str] | None,
    Option("--in", metavar="HxWxC|NxC", help="an input of a block, of several each; repeatable"),
]
ScopeOption = Annotated[
    str | None,
    Option("--scope", metavar="SCOPE", help="body or all", autocompletion=_completes("scopes")),
]
ConventionOption = Annotated[
    str,
    Option(
        "--convention",
        metavar="NAME|FILE",
        help="what counts",
        autocompletion=_completes("conventions"),
    ),
]
DtypeOption = Annotated[
    str | None, Option("--dtype", metavar="TYPE", help="numbers: float32, int8, int8:w4, ...")
]
DeviceOption = Annotated[
    str | None,
    Option("--device", metavar="NAME|FILE", help="a device, or a file that describes one"),
]
ThemeOption = Annotated[
    str | None, Option("--theme", metavar="THEME", help="light, dark or transparent")
]
FormatOption = Annotated[
    str | None, Option("--format", metavar="FORMAT", help="how to write a report")
]
OutputOption = Annotated[
    str | None, Option("-o", "--output", metavar="FILE", help="write to a file")
]


class Knobs(NamedTuple):
    """What is set of a network or a block."""

    alpha: AlphaOption = None
    res: Annotated[str | None, Option("--res", metavar="N|HxW", help="input resolution")] = None
    settings: SetOption = None

    def typed(self) -> "dict[str, Scalar]":
        """Return what was typed for each knob."""
        from mbprof.language.source import Scalar

        given = {
            name: Scalar.typed(f"--{name} ", value)
            for name, value in (("alpha", self.alpha), ("res", self.res))
            if value is not None
        }
        for setting in self.settings or ():
            name, equals, value = setting.partition("=")
            if not equals:
                raise UsageError(f"--set {setting}: expected NAME=VALUE")
            if name in given:
                raise UsageError(f"{name} is set twice")
            given[name] = Scalar.typed(f"--set {name}=", value)
        return given


class Counted(NamedTuple):
    """What is counted, and how."""

    scope: ScopeOption = None
    convention: ConventionOption = "kernels"


MaxPeakOption = Annotated[
    str | None,
    Option("--max-peak", metavar="SIZE", help="a budget, such as 320KB; status 1 above it"),
]


MaxMacsOption = Annotated[
    str | None, Option("--max-macs", metavar="N", help="a budget, such as 300M")
]
MaxParamsOption = Annotated[
    str | None, Option("--max-params", metavar="N", help="a budget, such as 4M")
]


class Limits(NamedTuple):
    """What networks are to stay within."""

    max_macs: MaxMacsOption = None
    max_params: MaxParamsOption = None


class Budgets(NamedTuple):
    """A budget of one network."""

    max_macs: MaxMacsOption = None
    max_params: MaxParamsOption = None
    max_peak: MaxPeakOption = None
    max_weights: Annotated[
        str | None, Option("--max-weights", metavar="SIZE", help="a budget, such as 1MiB")
    ] = None

    def budget(self, dtype: str | None = None) -> "Budget":
        """Return the budget that was typed; its bytes are counted at a type.

        Raises: SpecError: what was typed is no count. UsageError: there is no such type.
        """
        from mbprof.language import dtypes
        from mbprof.language.source import Scalar
        from mbprof.spec.sections import Budget, limit

        limits = {
            name: limit(Scalar.typed(f"--max-{name} ", text), name)
            for name, text in zip(("macs", "params", "peak", "weights"), self, strict=True)
            if text is not None
        }
        return Budget(**limits, dtype=dtypes.dtype(dtype).name if dtype is not None else None)


def hold_to(network: "Network", limits: "Budget", counted: Counted) -> None:
    """Say on stderr what exceeds a budget, and stop with status 1 if anything does."""
    if limits == type(limits)(dtype=limits.dtype):
        return
    from mbprof.checks.model import Subject
    from mbprof.checks.rules.budgets import exceeded

    scope, convention = counted
    subject = Subject(network, scope or network.definition.scope, convention)
    over = list(exceeded(subject, limits))
    for excess in over:
        complain(f"MB901: {excess.message}")
    if over:
        raise typer.Exit(1)


class Rows(NamedTuple):
    """Which rows and columns of a table are shown."""

    sort: Annotated[
        str | None,
        Option("--sort", metavar="COLUMN", help="numbers from large to small, words from A to Z"),
    ] = None
    top: Annotated[int | None, Option("--top", metavar="N", help="show the first N rows")] = None
    columns: Annotated[
        str | None,
        Option("--columns", metavar="A,B,C", help="which columns to show; help lists them"),
    ] = None

    @property
    def named(self) -> list[str] | None:
        """The columns that are asked for; None where there are none, or their list is."""
        return None if self.columns is None or self.columns == HELP else listed(self.columns)


class Output(NamedTuple):
    """Where a command writes, and how."""

    format: FormatOption = None
    output: OutputOption = None

    def open(self, kind: str = "table", usual: str | None = None) -> "Outlet":
        """Return where to write in the format of ``--format``, of the file, or the usual one.

        Raises: UsageError: no such format, not one of this command, or the file says another.
        """
        from pathlib import PurePath

        from mbprof.output.writers import screen_for

        wanted, path = self
        formats = formats_of(kind)
        strange = wanted if wanted is not None and wanted not in formats else None
        unplaced = path is not None and PurePath(path).suffix and formats.of_file(path) is None
        for other in REGISTRIES if strange or unplaced else ():
            others = formats_of(other)
            if said := others.get(strange) if strange else others.of_file(path):
                what = strange or f"{path}: {said.name}"
                known = ", ".join(formats)
                raise UsageError(f"{what} is a format of mbprof {other}", hint=f"known are {known}")
        return Outlet(formats.choose(wanted, path, usual), path, screen_for(path))


class Outlet(NamedTuple):
    """A format, with where it is written."""

    format: "Format[Any]"
    path: str | None
    screen: "Screen"

    @property
    def layout(self) -> str:
        """Which columns the format shows."""
        return self.format.layout

    def write(self, report: Any) -> None:
        """Write a report, or whatever the format is of."""
        from mbprof.output.files import emit

        emit(self.format.write(report, self.screen), self.path)

    def table(self, report: "Report", rows: Rows) -> None:
        """Write the rows and columns of a report that are asked for, or the list of its columns."""
        from mbprof.output import arranged, columns_report

        shown = arranged(report, rows.sort, rows.top, rows.named)
        self.write(columns_report(report) if rows.columns == HELP else shown)


def complain(said: MbprofError | str) -> None:
    """Say something on standard error, as wide as the terminal, if that can be heard."""
    from mbprof.output.inert import terminal

    width = get_terminal_size((80, 24)).columns
    with suppress(OSError):
        typer.echo(terminal(said if isinstance(said, str) else said.said(width)), err=True)


def listed(text: str | None) -> list[str]:
    """Return the parts of a list with commas between them."""
    return [part.strip() for part in (text or "").split(",") if part.strip()]


REGISTRIES = {
    "table": ("mbprof.output.writers", "REPORTS"),
    "check": ("mbprof.checks.run", "FINDINGS"),
    "formula": ("mbprof.formulas.sheet", "FORMATS"),
    "sweep": ("mbprof.sweeps.write", "SWEEPS"),
    "search": ("mbprof.sweeps.spaces.search", "FORMATS"),
    "plot": ("mbprof.pages.plot", "CHARTS"),
    "graph": ("mbprof.pages.graph.drawing", "GRAPHS"),
    "schema": ("mbprof.spec.schema", "FORMATS"),
    "docs": ("mbprof.pages.topics", "FORMATS"),
}
"""Where the formats of each kind of result are registered; it is named as the command has it."""


def formats_of(kind: str) -> "Formats[Any]":
    """Return the formats of what a command writes: its own kind, or else a table."""
    from importlib import import_module

    module, name = REGISTRIES.get(kind, REGISTRIES["table"])
    formats: Formats[Any] = getattr(import_module(module), name)
    return formats


class Command(TyperCommand):
    """A command whose help lists the formats that are registered, and whose options stand once."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read what was typed; an option that takes one value is given once.

        Raises: UsageError: it is given twice.
        """
        _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        for option in dict.fromkeys(order):
            if order.count(option) > 1 and not getattr(option, "multiple", True):
                raise UsageError(f"{max(option.opts, key=len)} is given twice")
        return super().parse_args(ctx, args)

    def get_help(self, ctx: Any) -> str:
        """Return the help; only then the formats are looked at, which takes imports."""
        from mbprof.language import fmt

        for option in self.params:
            if option.name == "format":
                names = fmt.either(formats_of(self.name or ""))
                option.help = f"{names}; else as FILE ends"  # type: ignore[attr-defined]
        return super().get_help(ctx)


_Function: TypeAlias = Callable[..., None]
COMMANDS: dict[str, tuple[_Function, str]] = {}
"""The commands by their names, each with its epilog."""


def command(name: str | None = None, *, epilog: str) -> Callable[[_Function], _Function]:
    """Register a command; a group of options among its parameters stands for each of them."""

    def register(function: _Function) -> _Function:
        COMMANDS[name or function.__name__] = function, epilog
        return function

    return register


def app(words: Sequence[str] | None = None) -> typer.Typer:
    """Return what runs a command line; a command has its options if it can be the one meant.

    For ``--help`` the names and the first words of the commands suffice, without ``words`` all of
    them have all options.
    """
    made = typer.Typer(
        name="mbprof",
        help="What a convolutional network costs, layer by layer, without building or running it.",
        epilog="Example: mbprof table mobilenet_v1 --alpha 0.75 --res 128",
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        no_args_is_help=True,
    )
    made.callback(invoke_without_command=True)(_root)
    asked = None if words is None else next((w for w in words if not w.startswith("-")), "")
    for name, (function, epilog) in COMMANDS.items():
        if asked == name or asked is None:
            made.command(name, cls=Command, help=_help(function), epilog=epilog)(_flat(function))
        elif asked not in COMMANDS:
            made.command(name, help=_help(function))(lambda: None)
    return made


def _flat(function: _Function) -> _Function:
    """Return a command that takes the options of its groups one by one."""
    groups: dict[str, Any] = {}
    options: list[Parameter] = []
    for own in signature(function).parameters.values():
        group = own.annotation
        if fields := getattr(group, "_fields", ()):
            groups[own.name] = group
            usual, types = group._field_defaults, group.__annotations__
            options += [
                Parameter(field, own.KEYWORD_ONLY, default=usual[field], annotation=types[field])
                for field in fields
            ]
        else:
            options.append(own.replace(kind=own.KEYWORD_ONLY))

    def run(**given: Any) -> None:
        for name, group in groups.items():
            given[name] = group(*(given.pop(field) for field in group._fields))
        function(**given)

    update_wrapper(run, function)
    run.__annotations__ = {option.name: option.annotation for option in options}
    run.__signature__ = Signature(options)  # type: ignore[attr-defined]
    return run


def _help(function: _Function) -> str:
    """Return what a command's help says, which Python strips on request."""
    if function.__doc__:
        return function.__doc__
    from mbprof.language.docs import docstring

    return docstring(function)


def _root(
    context: typer.Context,
    version: Annotated[bool, Option("--version", help="print the version")] = False,
) -> None:
    """Print the version if asked to."""
    if version:
        from mbprof import __version__

        typer.echo(f"mbprof {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
