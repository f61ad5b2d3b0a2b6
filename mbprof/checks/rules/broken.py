"""Rules about specs that make no network, or say what nothing reads."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mbprof.checks.model import (
    ERROR,
    RULES,
    UNDECIDED,
    WARNING,
    Finding,
    Found,
    Rule,
    Subject,
    declare,
    rule,
)
from mbprof.errors import (
    ExchangeError,
    Loc,
    MbprofError,
    Source,
    UnusedError,
    UsageError,
    nearest,
)
from mbprof.language.source import COMMAND_LINE, is_file
from mbprof.spec.knobs import USUAL
from mbprof.spec.model import Definition, Part, leaves, texts
from mbprof.spec.steps import BlockStep, ChosenStep

_NOTHING = "nothing can be said about a network that cannot be built."
_READ = "see the message; mbprof show and mbprof docs spec-language say what a spec can hold."


def _declared(
    code: str, title: str, severity: str = ERROR, why: str = _NOTHING, remedy: str = _READ
) -> Rule:
    source = "mbprof, see mbprof docs spec-language."
    text = f"{title}\n\nWhy: {why}\nRemedy: {remedy}\nSource: {source}"
    return declare(Rule(code, severity, None, text))


REFUSALS = {
    "source": _declared(
        "MB001", "The text cannot be read as a spec: not YAML, or outside of its subset."
    ),
    "spec": _declared("MB002", "A key, type, name or value that the spec language does not know."),
    "expression": _declared("MB003", "An expression does not parse, or has no value."),
    "knob": _declared("MB004", "A knob has a value that it does not take."),
    "shape": _declared("MB005", "Tensors do not fit an op, or do not fit each other in a join."),
    "wiring": _declared("MB006", "A step takes what is not there, or too many or too few inputs."),
    "limit": _declared("MB007", "The network is larger than mbprof is willing to expand."),
    "unused": _declared("MB008", "A dead branch: an output that nothing takes."),
    "usage": _declared(
        "MB014",
        "A block is not built, as it lacks an input or an argument.",
        WARNING,
        "what is not built is not checked.",
        "give the block's file an example, such as example: {in: 56x56x24, c: 24}.",
    ),
}
"""The rules that the compiler holds a file to, by the kind of its error."""


def refused(text: str, error: MbprofError) -> Finding:
    """Turn what makes it impossible to build a file into a finding, placed in that file.

    Raises: MbprofError: the error itself, if it has no place in a file. ExchangeError: the file is
    of another format and cannot be read, which says nothing about a design.
    """
    if isinstance(error, ExchangeError):
        raise error
    if error.loc is None and is_file(text):
        error.at(Loc(Source(text, ""), 1, 1))
        if isinstance(error, UsageError):
            message = f"cannot be decided: {error.message}"
            code = REFUSALS[error.kind].code
            return Finding(code, UNDECIDED, message, error.loc, hint=error.hint)
    if error.loc is None or error.loc.source.name == COMMAND_LINE:
        raise error
    kind = "unused" if isinstance(error, UnusedError) else error.kind
    places = _places(error)
    names = [loc.source.name for loc in places]
    loc = places[names.index(text if text in names else names[-1])]
    through = "".join(f"; {step}" for step in error.trace[:2])
    elsewhere = f" ({places[0]})" if places[0] != loc else ""
    message = f"{error.message}{elsewhere}{through}"
    return Finding(REFUSALS[kind].code, REFUSALS[kind].severity, message, loc, hint=error.hint)


def _places(error: MbprofError) -> list[Loc]:
    """Return where an error is, from the innermost place outwards."""
    return [loc for loc in (error.loc, *error.trail) if loc is not None]


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
    for variant in (*subject.alphas, *subject.strided, *subject.widened):
        if (error := variant.error) is not None:
            said = f"at {variant.label}: {error.message}"
            loc = subject.place(_places(error)[::-1])
            yield Found(said, (), {variant.knob: variant.value}, error.hint, loc)


@rule("MB011", WARNING)
def unread_knob(subject: Subject) -> Iterator[Found]:
    """A knob or an argument that nothing reads.

    Why: who turns it believes that something has changed.
    Remedy: use it, or take it away.
    Source: mbprof, see mbprof docs spec-language.
    """
    definition, own = subject.spec.definition, subject.spec.definition.loc.source
    read, usual = _names(definition), {*USUAL}
    # A flavour, or a spec that extends another one, may do without what was there before.
    flavoured = "@" in definition.name
    for name in [name for name in definition.knobs if name not in read | usual]:
        place = definition.knobs[name].loc
        if place is not None and place.source == own and not (subject.spec.alone or flavoured):
            yield Found(f"nothing reads the knob {name}", loc=place)
    for block in definition.blocks.values():
        if block.shared or (subject.spec.alone and block.name != definition.name):
            continue
        inner = _names(block)
        for name in block.takes:
            if name not in inner:
                text = f"nothing in block {block.name} reads its argument {name}"
                yield Found(text, loc=block.takes[name].loc)


@rule("MB012", WARNING)
def uncalled_block(subject: Subject) -> Iterator[Found]:
    """A block of the spec that no row calls.

    Why: it looks like part of the network and costs nothing.
    Remedy: call it, or take it away.
    Source: mbprof, see mbprof docs spec-language.
    """
    definition, own = subject.spec.definition, subject.spec.definition.loc.source
    called = _names(definition) | {step.block for step in definition.held(BlockStep)}
    called |= _chosen(definition)
    for block in definition.blocks.values():
        # What a spec extends may need blocks that it does not.
        uncalled = not block.shared and block.name not in called and not subject.spec.alone
        if uncalled and block.loc.source == own and "@" not in definition.name:
            yield Found(f"nothing calls the block {block.name}", loc=block.loc)


@rule("MB013", WARNING)
def accepted_in_vain(subject: Subject) -> Iterator[Found]:
    """A finding is accepted that is not there.

    Why: a reason that no longer applies hides the next finding of that code.
    Remedy: take the line out of accept:.
    Source: mbprof, see mbprof docs checks.
    """
    own = subject.spec.definition.loc.source
    for code, scalar in subject.spec.definition.accept.items():
        if scalar.loc.source != own:
            continue  # What it extends has that finding, or its own check says that it has not.
        known = "" if code in RULES else f"; there is no such code, {nearest(code, RULES)}"
        # This rule's own code is never found: to accept it would accept whatever is in vain.
        if code not in RULES or code == "MB013" or not any(RULES[code].apply(subject)):
            yield Found(f"{code} is accepted and not found{known}", loc=scalar.loc)


def _chosen(definition: Definition) -> set[str]:
    """Return the blocks that a knob can choose: the words that it takes, all where any will do."""
    chosen = set[str]()
    words = [knob for knob in definition.knobs.values() if knob.kind == "name"]
    names = {name for step in definition.held(ChosenStep) for name in leaves(step.chosen.node)}
    for knob in words:
        chosen |= {str(word) for word in (*knob.one_of, knob.default)}
        if f"${knob.name}" in names and not knob.one_of:
            chosen |= definition.blocks.keys()
    for preset in definition.presets.values():
        chosen |= {str(value) for value in preset.knobs.values()}
    return chosen


def _names(part: Part) -> set[str]:
    """Return the words in the expressions of a spec, or of one of its blocks."""
    return {name for text in texts(part) for name in re.findall(r"(?<![\w.])[A-Za-z_]\w*", text)}
