"""The command docs, and the pages of the commands."""

from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Argument

from mbprof.cli import blocks, device, exchange, networks, site, spaces
from mbprof.cli.options import COMMANDS, Output, app, command

if TYPE_CHECKING:
    from mbprof.pages.topics import Kind, Topic

__all__ = ["app", "blocks", "device", "docs", "exchange", "kinds", "networks", "site", "spaces"]
"""All modules of commands are imported here, so that every command has a page."""


@command("docs", epilog="Example: mbprof docs MB104")
def manual(
    *,
    topic: Annotated[
        str, Argument(metavar="[TOPIC]", help="NAME, KIND/NAME, or KIND/ for a list of them")
    ] = "",
    to: Output,
) -> None:
    """Print a page of the manual, such as MB104, ptflops, ghostnet or sweep."""
    to.open("docs").write(docs(topic))


def docs(topic: str = "") -> "Topic":
    r"""Return a page of the manual: of a command, guide, rule, op, block, network or other name.

    ``KIND/NAME`` is exact where several kinds have a name, ``KIND/`` lists a kind, and without a
    topic the kinds are listed. A notebook shows the page; its ``text`` is Markdown.
    Raises: UsageError: no such topic.

    >>> docs("mb104").text.partition("\n")[0]
    '# MB104, warning'
    """
    from mbprof.pages.topics import find

    return find(kinds(), topic)


@lru_cache(maxsize=1)
def kinds() -> "dict[str, Kind]":
    """Return the kinds of topics; a name that several have is first that of a command."""
    from mbprof.pages import networks as zoo
    from mbprof.pages import reference, topics

    commands = topics.Kind(
        "command", "commands", "Commands", "What can be typed behind `mbprof`, with all options.",
        lambda: sorted(COMMANDS), command_page, lambda name: reference.first(_made(name).help),
    )  # fmt: skip
    others = (
        topics.GUIDE, reference.RULE, reference.CONVENTION, reference.OP, reference.BLOCK,
        reference.ERROR, zoo.NETWORK, reference.FUNCTION,
    )  # fmt: skip
    return {kind.word: kind for kind in (commands, *others)}


@lru_cache(maxsize=1)
def _group() -> Any:
    return typer.main.get_command(app())


def _made(name: str) -> Any:
    return _group().commands[name]


def command_page(name: str) -> str:
    """Return the page of a command: its usage, its help, its arguments and its options."""
    from mbprof.output import inert, prose
    from mbprof.pages import topics

    made = _made(name)
    context = made.make_context(f"mbprof {name}", [], resilient_parsing=True)
    made.get_help(context)  # which says the formats
    usage = made.get_usage(context).partition(": ")[2]
    arguments, options = [], []
    for parameter in made.params:
        said = prose.text(parameter.help or "")
        if parameter.param_type_name == "argument":
            arguments.append([prose.code(parameter.metavar), said])
            continue
        value = "" if parameter.is_flag else f" {parameter.metavar or parameter.type.name.upper()}"
        usual = parameter.default not in (None, False, (), [], "")
        default = prose.code(str(parameter.default)) if usual and not parameter.is_flag else ""
        names = [*parameter.opts, *parameter.secondary_opts]
        typed = ", ".join(sorted(names, key=len))
        options.append([prose.code(typed + value), default, said])
    parts = [
        f"# {inert.code(f'mbprof {name}')}",
        prose.docstring(made.help),
        inert.fenced(usage, "text"),
        prose.text(made.epilog.replace("Example: ", "Example: `", 1) + "`"),
        "## Arguments" if arguments else "",
        prose.table(["argument", "what"], arguments) if arguments else "",
        "## Options",
        prose.table(["option", "default", "what"], options),
        "Guide: [options and columns](../docs/options.md)",
        f"In Python: [{inert.code(f'mbprof.{name}')}](../api/{name}.md)"
        if name in topics.public()
        else "",
    ]
    return topics.joined(parts)
