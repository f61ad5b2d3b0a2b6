"""The command line's root: what `mbprof` itself says.

Modules with commands do not postpone annotations: typer would compile every one of them from its
text, which takes a tenth of the time of a whole run.
"""

from functools import partial
from typing import Annotated

import typer

from mbprof.cli.options import Command

app = typer.Typer(
    name="mbprof",
    help="What a convolutional network costs, layer by layer, without building or running it.",
    epilog="Example: mbprof table mobilenet_v1 --alpha 0.75 --res 128",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)


command = partial(app.command, cls=Command)
"""Registers a command, see `mbprof.cli.options.Command`."""


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
