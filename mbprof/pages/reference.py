"""The pages of the registries: ops, blocks, conventions, rules, errors and public functions."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import mbprof
from mbprof.checks import RULES
from mbprof.checks.model import Rule
from mbprof.errors import MbprofError
from mbprof.language import fmt
from mbprof.language.docs import docstring
from mbprof.network import conventions
from mbprof.network.conventions import UNITS
from mbprof.ops import OPS
from mbprof.ops.base import Op
from mbprof.output import inert, prose
from mbprof.pages import topics
from mbprof.pages.topics import Kind, facts, joined
from mbprof.pages.wiring import block_text
from mbprof.pages.zoo import BlockPage, show
from mbprof.spec import zoo


def first(said: str) -> str:
    """Return the first sentence of a docstring, as Markdown."""
    return prose.text(" ".join(said.partition("\n\n")[0].split()))


# Ops


def op_page(name: str) -> str:
    """Return the page of an op: what it does and costs, its keys, what PyTorch calls."""
    op = OPS[name]
    keys = [
        [
            prose.code(key),
            inert.markdown(letter.kind.word),
            "needed" if letter.required else prose.code(_written(letter.default)),
            prose.text(letter.doc),
        ]
        for key, letter in op.letters.items()
    ]
    after = [[prose.code(key), "", "", f"the op {key} after this one"] for key in op.after]
    parts = [
        f"# {inert.code(name)}, an op",
        prose.docstring(docstring(op)),
        "## Keys" if keys or after else "It has no keys.",
        prose.table(["key", "type", "default", "what"], [*keys, *after]) if keys or after else "",
        facts([("in PyTorch", inert.code(op.call)), ("inputs", _inputs(op))]),
        "Guide: [the spec language](../docs/spec-language.md)",
    ]
    return joined(parts)


def _written(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return "none" if value is None else str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(_written, value))}]"
    return str(value)


def _inputs(op: type[Op]) -> str:
    least, most = op.inputs
    return str(least) if least == most else f"{least} to {most}" if most else f"{least} or more"


# Blocks


def block_page(name: str) -> str:
    """Return the page of a block: its arguments, its wiring, what it costs at its example."""
    page = show(name)
    assert isinstance(page, BlockPage)
    model, data = page.block.block, page.to_dict()
    takes = [
        [prose.code(argument), prose.code(_written(of["default"])), prose.text(of["doc"])]
        for argument, of in data["takes"].items()
    ]
    costs = ", ".join(f"{fmt.integer(data[key])} {UNITS[key]}" for key in UNITS if key in data)
    parts = [
        f"# {inert.code(name)}, a block",
        f"{prose.text(model.doc)}.",
        facts(
            [
                ("source", prose.text(model.source)),
                ("file", inert.code(page.block.definition.path)),
                ("at", inert.markdown(data["at"])),
                ("costs there", f"{fmt.integer(data['params'])} params, {costs}"),
                ("sizes", inert.markdown(data["sizes"])),
            ]
        ),
        "## Arguments" if takes else "",
        prose.table(["argument", "default", "what"], takes) if takes else "",
        "## Wiring",
        inert.fenced(block_text(model), "text"),
        f"{inert.code(f'mbprof block {name}')} sets it beside others;"
        " guide: [a new block](../docs/new-block.md)",
    ]
    return joined(parts)


# Conventions


def convention_page(name: str) -> str:
    """Return the page of a convention: what it counts, whose tool does, its rules and faults."""
    convention = conventions.load(name)
    tool = name.partition("@")[0]
    others = [n for n in conventions.names() if n.partition("@")[0] == tool and n != name]
    faults = [f"- {prose.text(fault)}" for fault in convention.faults]
    parts = [
        f"# {inert.code(name)}, a convention",
        f"Counts {prose.text(convention.doc)}.",
        facts(
            [
                ("tool", prose.text(convention.tool)),
                ("releases that count like this", prose.text(convention.releases)),
                ("unit", convention.unit or "none, it counts no cost"),
                ("auxiliary outputs", conventions.SIDE[convention.side]),
                ("source", prose.text(convention.source)),
                (
                    "other releases",
                    ", ".join(f"[{inert.code(n)}]({topics.address_of(n)}.md)" for n in others),
                ),
            ]
        ),
        "## Rules",
        "What each kind of stored value, op or call counts, as the convention's file has it:",
        inert.fenced(conventions.written(name), "yaml"),
        "## Known faults" if faults else "",
        "Errors of the tool that are reproduced:" if faults else "",
        "\n".join(faults),
        f"{inert.code(f'mbprof table SPEC --convention {name}')} counts so;"
        " guides: [what is in a number](../docs/conventions.md),"
        " [where does this number come from](../docs/guides/number.md)",
    ]
    return joined(parts)


# Rules


def rule_page(code: str) -> str:
    """Return the page of a rule: what it finds, why, what helps, and a spec of either kind."""
    rule = RULES[code]
    parts = [
        f"# {code}, {rule.severity}",
        prose.docstring(rule.text),
        *_examples(rule),
        f"{inert.code(f'mbprof check SPEC --ignore {code}')} leaves it out, and a spec"
        f" accepts it with a reason: {inert.code(f'accept: {{{code}: why}}')};"
        " guide: [checks](../docs/checks.md)",
    ]
    return joined(parts)


def _examples(rule: Rule) -> Iterator[str]:
    path = topics.examples() / f"{rule.code}.case"
    if not path.is_file():
        return
    parts = re.split(r"^--- (\w+)\n", path.read_text(encoding="utf-8"), flags=re.M)
    case = dict(zip(parts[1::2], parts[2::2], strict=True))
    for key, heading in (("fires", "Found in"), ("silent", "Not found in")):
        if case.get(key, "").strip():
            yield f"## {heading}"
            yield inert.fenced(case[key], "yaml")
        if key == "fires" and case.get("says", "").strip():
            yield "What is said:"
            yield inert.fenced(case["says"], "text")


# Errors


@lru_cache(maxsize=1)
def errors() -> dict[str, type[MbprofError]]:
    """Return the errors by the words that messages have in brackets."""
    found, left = dict[str, type[MbprofError]](), [MbprofError]
    while left:
        cls = left.pop(0)
        found.setdefault(cls.kind, cls)
        left += cls.__subclasses__()
    return {kind: found[kind] for kind in sorted(found) if found[kind] is not MbprofError}


def error_page(kind: str) -> str:
    """Return the page of an error: what is wrong, what the message has, an example."""
    cls = errors()[kind]
    below = ", ".join(inert.code(c.__name__) for c in cls.__subclasses__())
    parts = [
        f"# error[{kind}]",
        prose.docstring(docstring(cls)),
        facts(
            [
                ("exit status", "2"),
                ("in Python", f"{inert.code(f'mbprof.errors.{cls.__name__}')}, a subclass of "
                 f"{inert.code('mbprof.MbprofError')}"),
                ("subclasses", below),
            ]
        ),
        # Its links are those of a page beside it.
        re.sub(r"\]\((?!\w+:|#)", "](../docs/", topics.section(topics.guide("errors"), kind)),
        "Guide: [what went wrong](../docs/errors.md)",
    ]  # fmt: skip
    return joined(parts)


# Python


def _public(name: str) -> tuple[Any, str, str]:
    """Return a public name's value, its signature and its docstring.

    What needs a library that is not installed has no value; its source says the rest.
    """
    try:
        what = getattr(mbprof, name)
    except ImportError:
        module, attribute = mbprof._HOME_OF[name]
        found = importlib.util.find_spec(module)
        tree = ast.parse(Path(found.origin if found and found.origin else "").read_text("utf-8"))
        functions = (node for node in tree.body if isinstance(node, ast.FunctionDef))
        (node,) = (function for function in functions if function.name == attribute)
        return None, f"({ast.unparse(node.args)})", ast.get_docstring(node) or ""
    # Annotations that are postponed are texts.
    signature = re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(inspect.signature(what)))
    return what, signature, docstring(what)


def function_page(name: str) -> str:
    """Return the page of a public name: its signature, its docstring, and a class's members."""
    what, signature, said = _public(name)
    if not inspect.isclass(what):
        shown = inert.fenced(f"mbprof.{name}{signature}", "python")
        return joined([f"# {inert.code(f'mbprof.{name}')}", shown, prose.docstring(said)])
    members = [
        [prose.code(member + ("()" if callable(value) else "")), first(inspect.getdoc(value) or "")]
        for member, value in inspect.getmembers(what)
        if not member.startswith("_") and (inspect.isroutine(value) or isinstance(value, property))
        and inspect.getdoc(value) and getattr(value, "__module__", "mbprof").startswith("mbprof")
    ]  # fmt: skip
    fields = ", ".join(inert.code(field) for field in getattr(what, "__dataclass_fields__", ()))
    parts = [
        f"# {inert.code(f'mbprof.{name}')}, a class",
        prose.docstring(said),
        facts([("fields", fields)]) if fields else "",
        "## Members" if members else "",
        prose.table(["member", "what"], members) if members else "",
    ]
    return joined(parts)


OP = Kind(
    "op", "ops", "Ops", "What a network is made of: shapes, costs and keys of each op.",
    lambda: sorted(OPS), op_page, lambda name: first(docstring(OPS[name])),
)  # fmt: skip
BLOCK = Kind(
    "block", "blocks", "Blocks", "The library of blocks that every spec can call.",
    zoo.block_names, block_page,
    lambda name: prose.text(zoo.open_block(name).signature().doc),
)  # fmt: skip
CONVENTION = Kind(
    "convention", "conventions", "Conventions", "Ways of counting: what each tool counts.",
    conventions.names, convention_page, lambda name: prose.text(conventions.load(name).doc),
)  # fmt: skip
RULE = Kind(
    "rule", "rules", "Rules", "What `mbprof check` finds, with examples and sources.",
    lambda: sorted(RULES), rule_page,
    lambda code: f"{RULES[code].severity}: {prose.text(RULES[code].title)}",
)  # fmt: skip
ERROR = Kind(
    "error", "errors", "Errors", "What can be wrong with what was typed or written.",
    lambda: [*errors()], error_page, lambda kind: first(docstring(errors()[kind])),
)  # fmt: skip
FUNCTION = Kind(
    "function", "api", "Python", "The public functions and classes of the package.",
    topics.public, function_page, lambda name: first(_public(name)[2]),
)  # fmt: skip
