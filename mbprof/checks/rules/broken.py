"""Rules about specs that make no network, or say what nothing reads."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mbprof.checks.model import ERROR, WARNING, Finding, Found, Subject, declare, rule
from mbprof.errors import Loc, MbprofError, UnusedError
from mbprof.spec.knobs import builtin
from mbprof.spec.model import Definition
from mbprof.spec.texts import scalars

_READ = """
Why: nothing can be said about a network that cannot be built.
Remedy: see the message; mbprof show and docs/spec-language.md say what a spec can hold.
Source: mbprof, docs/spec-language.md.
"""

_KINDS: dict[str, tuple[str, str]] = {
    "source": ("MB001", "The text cannot be read as a spec: not YAML, or outside of its subset."),
    "spec": ("MB002", "A key, type, name or value that the spec language does not know."),
    "expression": ("MB003", "An expression does not parse, or has no value."),
    "knob": ("MB004", "A knob has a value that it does not take."),
    "shape": ("MB005", "Tensors do not fit an op, or do not fit each other in a join."),
    "wiring": ("MB006", "A step takes what is not there, or too many or too few inputs."),
    "limit": ("MB007", "The network is larger than mbprof is willing to expand."),
    "unused": ("MB008", "A dead branch: an output that nothing takes."),
}
"""The codes of what the compiler refuses, by the kind of its error."""

for _code, _title in _KINDS.values():
    declare(_code, ERROR, f"{_title}\n{_READ}")


def finding(error: MbprofError, own: str) -> Finding:
    """Turn an error of the compiler into a finding, placed in the file that is checked."""
    kind = "unused" if isinstance(error, UnusedError) else error.kind
    places = [loc for loc in (error.loc, *error.trail) if loc is not None]
    inside = [loc for loc in places if loc.source.name == own]
    through = "".join(f"; {step}" for step in error.trace[:2])
    loc = (inside or places)[0]
    elsewhere = f" ({places[0]})" if places[0] != loc else ""
    message = f"{error.message}{elsewhere}{through}"
    return Finding(_KINDS[kind][0], ERROR, message, loc, hint=error.hint)


@rule("MB010", WARNING)
def no_network(subject: Subject) -> Iterator[Found]:
    """At a usual width or stride there is no network.

    Looked at are the alphas 0.25, 0.35, 0.5, 0.75, 1, 1.3 and 1.4 where the spec has that knob, a
    stride of 2 where a knob of a block sets its stride, and twice the channels: the argument c of
    a block, or the knob of a spec that sets the channels of its input.

    Why: a width multiplier or a stride is there to be turned; one that breaks the design is
    found by the first colleague who turns it.
    Remedy: scale the parts that must fit together by the same rule, guard the join with when:,
    or bound the knob with min:, max: or one_of:.
    Source: arXiv:1704.04861, section 3.3, and arXiv:1801.04381, section 6.1, for the widths.
    """
    for variant in subject.variants:
        if variant.error is not None:
            error = variant.error
            places = [loc for loc in (error.loc, *error.trail) if loc is not None]
            yield Found(
                f"at {variant.label}: {error.message}",
                numbers={variant.knob: variant.value},
                hint=error.hint,
                loc=subject.place(places[::-1]),
            )


@rule("MB011", WARNING)
def unread_knob(subject: Subject) -> Iterator[Found]:
    """A knob or an argument that nothing reads.

    Why: who turns it believes that something has changed.
    Remedy: use it, or take it away.
    Source: mbprof, docs/spec-language.md.
    """
    definition, own = subject.spec.definition, subject.spec.definition.loc.source
    read = _names(definition)
    # A flavour, or a spec that extends another one, may do without what was there before.
    flavoured = "@" in definition.name
    for name, place in knob_places(definition).items():
        if name not in read and place.source == own and not (subject.alone or flavoured):
            yield Found(f"nothing reads the knob {name}", loc=place)
    for block in definition.blocks.values():
        if block.shared or (subject.alone and block.name != definition.name):
            continue
        inner = _names(definition, block.name)
        for name in block.takes:
            if name not in inner:
                text = f"nothing in block {block.name} reads its argument {name}"
                yield Found(text, loc=block.takes[name].loc)


@rule("MB012", WARNING)
def uncalled_block(subject: Subject) -> Iterator[Found]:
    """A block of the spec that no row calls.

    Why: it looks like part of the network and costs nothing.
    Remedy: call it, or take it away.
    Source: mbprof, docs/spec-language.md.
    """
    called = _names(subject.spec.definition, calls=True)
    own = subject.spec.definition.loc.source
    for block in subject.spec.definition.blocks.values():
        # What a spec extends may need blocks that it does not.
        uncalled = not block.shared and block.name not in called and not subject.alone
        if uncalled and block.loc.source == own and "@" not in subject.spec.definition.name:
            yield Found(f"nothing calls the block {block.name}", loc=block.loc)


def knob_places(definition: Definition) -> dict[str, Loc]:
    """Return where the knobs of a spec are declared; the builtin ones are declared nowhere."""
    return {
        name: knob.loc
        for name, knob in definition.knobs.items()
        if name not in builtin(None) and knob.loc is not None
    }


def _names(definition: Definition, block: str | None = None, calls: bool = False) -> set[str]:
    """Return the words in the expressions of a spec, or of one of its blocks."""
    found: set[str] = set()
    for text in scalars(definition, block, calls):
        found.update(re.findall(r"(?<![\w.])[A-Za-z_]\w*", text))
    return found
