"""The command line: each command is one call of the library and one renderer."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mbprof.network import Network
    from mbprof.reports import Report

app = typer.Typer(
    name="mbprof",
    help="What a convolutional network costs, layer by layer, without building or running it.",
    epilog="Example: mbprof table mobilenet_v1 --alpha 0.75 --res 128",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
)

SpecArgument = Annotated[
    str, typer.Argument(metavar="SPEC", help="a name of mbprof list, NAME@FLAVOUR, a file, or -")
]
AlphaOption = Annotated[str | None, typer.Option("--alpha", metavar="X", help="width multiplier")]
ResOption = Annotated[str | None, typer.Option("--res", metavar="N|HxW", help="input resolution")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="set any knob of the spec; repeatable"),
]
FormatOption = Annotated[
    str, typer.Option("--format", metavar="FORMAT", help="rich, md, csv, json or html")
]
OutputOption = Annotated[
    str | None, typer.Option("-o", "--output", metavar="FILE", help="write to a file")
]


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="print the version")] = False,
) -> None:
    """Print the version if asked to."""
    if version:
        from mbprof import __version__

        typer.echo(f"mbprof {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command(epilog="Example: mbprof table mobilenet_v1 --alpha 0.75 --res 128")
def table(
    spec: SpecArgument,
    alpha: AlphaOption = None,
    res: ResOption = None,
    settings: SetOption = None,
    scope: Annotated[
        str | None, typer.Option("--scope", metavar="SCOPE", help="body or all")
    ] = None,
    convention: Annotated[
        str, typer.Option("--convention", metavar="NAME", help="what counts")
    ] = "kernels",
    by: Annotated[
        str, typer.Option("--by", metavar="WHAT", help="sum up by layer, block or op")
    ] = "layer",
    sort: Annotated[
        str | None, typer.Option("--sort", metavar="COLUMN", help="numbers from large to small")
    ] = None,
    top: Annotated[
        int | None, typer.Option("--top", metavar="N", help="show the first N rows")
    ] = None,
    columns: Annotated[
        str | None, typer.Option("--columns", metavar="A,B,C", help="which columns to show")
    ] = None,
    format: FormatOption = "rich",
    output: OutputOption = None,
) -> None:
    """Print what each layer of a network costs, and the total."""
    from mbprof.reports import layout
    from mbprof.reports.tables import profile_report

    chosen = layout(format)
    profile = _network(spec, alpha, res, settings).profile(convention=convention, scope=scope)
    names = [name.strip() for name in columns.split(",")] if columns else None
    _print(profile_report(profile, by, sort, top, names, chosen), format, output)


@app.command(name="list", epilog="Example: mbprof list mobilenet")
def list_specs(
    text: Annotated[
        str, typer.Argument(metavar="[TEXT]", help="only names and families that hold it")
    ] = "",
    format: FormatOption = "rich",
    output: OutputOption = None,
) -> None:
    """List the networks of the zoo by family, with their knobs and costs."""
    from mbprof.catalogue import catalogue_report
    from mbprof.reports import layout

    layout(format)
    _print(catalogue_report(text), format, output)


@app.command(epilog="Example: mbprof show mobilenet_v1@keras")
def show(spec: SpecArgument, format: FormatOption = "rich", output: OutputOption = None) -> None:
    """Explain a network: its source, knobs, blocks, rows and what others claim of it."""
    from mbprof.describe import spec_report
    from mbprof.network import load

    _print(spec_report(load(spec)), format, output)


@app.command(epilog="Example: mbprof verify mobilenet_v1")
def verify(
    specs: Annotated[
        list[str] | None, typer.Argument(metavar="[SPEC]...", help="specs; the whole zoo if none")
    ] = None,
    format: FormatOption = "rich",
    output: OutputOption = None,
) -> None:
    """Recompute what others published; the exit status is 1 if a claim fails."""
    from mbprof.reports import layout
    from mbprof.verify import verdict_report
    from mbprof.verify import verify as recompute

    layout(format)
    verdicts = recompute(specs or ())
    _print(verdict_report(verdicts), format, output)
    if not all(verdict.passed for verdict in verdicts):
        raise typer.Exit(1)


@app.command(epilog="Example: mbprof schema -o spec.schema.json")
def schema(output: OutputOption = None) -> None:
    """Print the JSON Schema of specs, with which an editor completes and checks them."""
    from mbprof.output import emit
    from mbprof.schema import schema_text

    emit(schema_text(), output)


def _network(spec: str, alpha: str | None, res: str | None, settings: list[str] | None) -> Network:
    """Build the network that the command line describes; errors point into it."""
    from mbprof.errors import Loc, Source, UsageError
    from mbprof.network import load
    from mbprof.spec.knobs import parse

    typed = {"alpha": alpha, "res": res}
    given = {name: (f"--{name} ", value) for name, value in typed.items() if value is not None}
    for setting in settings or ():
        name, equals, value = setting.partition("=")
        if not equals:
            raise UsageError(f"--set {setting}: expected NAME=VALUE")
        if name in given:
            raise UsageError(f"{name} is set twice")
        given[name] = (f"--set {name}=", value)
    places = {
        name: Loc(Source("command line", option + value), 1, len(option) + 1)
        for name, (option, value) in given.items()
    }
    knobs = {name: parse(value) for name, (_, value) in given.items()}
    return load(spec).build_at(knobs, places)


def _print(report: Report, format: str, output: str | None) -> None:
    import shutil

    from mbprof.output import emit
    from mbprof.reports import render

    emit(render(report, format, shutil.get_terminal_size((80, 24)).columns), output)


def main() -> None:
    """Run the command line; bad input is one message on stderr and exit status 2."""
    from mbprof.errors import MbprofError

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        app(prog_name="mbprof")
    except MbprofError as error:
        typer.echo(str(error), err=True)
        sys.exit(2)
    except BrokenPipeError:
        # The reader, such as head, has seen enough; that is no error of ours.
        sys.stderr.close()
        sys.exit(0)
