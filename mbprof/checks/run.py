"""Check a spec or a block: build it, apply every rule, sort what they find."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mbprof.checks.model import (
    ADVICE,
    ERROR,
    RULES,
    SEVERITIES,
    UNDECIDED,
    WARNING,
    Finding,
    Subject,
    accepted,
    declare,
)
from mbprof.checks.rules.broken import finding
from mbprof.checks.rules.budget import exceeded
from mbprof.errors import Loc, MbprofError, Source, UsageError, nearest, unknown
from mbprof.language.source import Scalar
from mbprof.language.values import Value, parse
from mbprof.network import conventions
from mbprof.network.block import alone, at_command_line, is_block, typed
from mbprof.network.load import load
from mbprof.output.stamp import stamp
from mbprof.spec.budget import Budget, limit

COMMAND_LINE = "command line"
FAILING = {
    "error": (ERROR, UNDECIDED),
    "warning": (ERROR, UNDECIDED, WARNING),
    "advice": (ERROR, UNDECIDED, WARNING, ADVICE),
    "never": (),
}
"""What fails a check, by the word that a user types; what cannot be decided never passes."""

declare(
    "MB014",
    WARNING,
    """A block is not built, as it lacks an input or an argument.

    Why: what is not built is not checked.
    Remedy: give the block's file an example, such as example: {in: 56x56x24, c: 24}.
    Source: mbprof, docs/spec-language.md.
    """,
)

declare(
    "MB013",
    WARNING,
    """A finding is accepted that is not there.

    Why: a reason that no longer applies hides the next finding of that code.
    Remedy: take the line out of accept:.
    Source: mbprof, docs/checks.md.
    """,
)


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found, by severity and place, and what it is about.

    ``stamp`` says of what the findings are: the knobs, the scope and the convention of budgets.
    """

    name: str
    findings: tuple[Finding, ...]
    stamp: Mapping[str, Any] = field(default_factory=dict)

    def fails(self, on: str = "error") -> bool:
        """Whether a finding is as grave as ``on``: error, warning, advice or never.

        Raises: UsageError: no such word.
        """
        if on not in FAILING:
            raise UsageError(f"cannot fail on {on!r}", hint=nearest(on, FAILING))
        return any(finding.severity in FAILING[on] for finding in self.findings)


def check(
    spec: str,
    image: str | tuple[int, int, int] | None = None,
    *,
    max_macs: int | str | None = None,
    max_params: int | str | None = None,
    ignore: Iterable[str] = (),
    convention: str = conventions.DEFAULT,
    scope: str | None = None,
    **knobs: Value,
) -> Checked:
    """Check a spec or a block, by its name or path, at some values of its knobs or arguments.

    ``image`` is the input of a block, HEIGHTxWIDTHxCHANNELS; ``max_macs`` and ``max_params`` limit
    it besides the spec's own budget; ``ignore`` are codes, or how codes begin, that are left out.
    Raises: UsageError: no such spec, convention, scope or code. KnobError: no such knob.

    >>> [finding.code for finding in check("dw_sep").findings]
    ['MB214']
    >>> check("mobilenet_v2", max_macs="100M", alpha=0.5).fails()
    False
    """
    limits = {
        name: limit(Scalar(str(value), at_command_line(str(value), f"max_{name} ")))
        for name, value in (("macs", max_macs), ("params", max_params))
        if value is not None
    }
    codes = [ignore] if isinstance(ignore, str) else ignore
    size = "x".join(map(str, image)) if isinstance(image, tuple) else image
    return examine(spec, size, typed(knobs), Budget(**limits), codes, convention, scope)


def examine(
    text: str,
    image: str | None = None,
    given: Mapping[str, tuple[str, Loc]] | None = None,
    limits: Budget | None = None,
    ignore: Iterable[str] = (),
    convention: str = conventions.DEFAULT,
    scope: str | None = None,
) -> Checked:
    """Check a spec or a block; ``given`` is what was typed for each knob or argument, and where.

    An error with a place in a file is a finding; one without, such as an unknown name, is raised.
    Raises: UsageError: no such spec, knob, convention, scope or code.
    """
    codes = list(ignore)
    for code in codes:
        if not re.fullmatch(r"MB\d{1,3}", code) or not any(each.startswith(code) for each in RULES):
            known = [each for each in RULES if each[:3] == code[:3]] or RULES
            raise unknown("code", code, known, limit=40)
    try:
        subject = _subject(text, image, given or {}, scope)
    except MbprofError as error:
        nothing = stamp(knobs={}, convention=convention)
        return Checked(text, (_broken(text, error),), {**nothing, "scope": scope})
    found = [each for rule in RULES.values() for each in rule.apply(subject)]
    found += exceeded(subject, limits or Budget(), convention)
    marked = [*accepted(found, _reasons(subject)), *_stale(found, subject)]
    kept = [each for each in marked if not any(each.code.startswith(code) for code in codes)]
    about = stamp(None, subject.network.knobs, subject.scope, convention)
    return Checked(subject.spec.name, tuple(sorted(kept, key=_order)), about)


def _broken(text: str, error: MbprofError) -> Finding:
    """Return what makes it impossible to build a file as a finding.

    Raises: MbprofError: the error itself, if it has no place in a file.
    """
    if error.loc is None and Path(text).is_file():
        error.at(Loc(Source(text, ""), 1, 1))
        if isinstance(error, UsageError):
            message = f"cannot be decided: {error.message}"
            return Finding("MB014", UNDECIDED, message, error.loc, hint=error.hint)
    if error.loc is None or error.loc.source.name == COMMAND_LINE:
        raise error
    return finding(error, _own(text, error))


def _subject(
    text: str, image: str | None, given: Mapping[str, tuple[str, Loc]], scope: str | None
) -> Subject:
    if is_block(text):
        block = alone(text, image, given)
        definition = block.spec.definition
        return Subject(block.spec, block.build(), True, definition.budget, scope or "all")
    if image is not None:
        raise UsageError("--in gives a block its input; a spec has its own", hint="use --res")
    spec = load(text)
    knobs = {name: parse(value) for name, (value, _) in given.items()}
    network = spec.build_at(knobs, {name: loc for name, (_, loc) in given.items()})
    network.profile(scope=scope)
    return Subject(spec, network, False, spec.definition.budget, scope or spec.definition.scope)


def _own(text: str, error: MbprofError) -> str:
    """Return what errors call the file that is checked."""
    names = [loc.source.name for loc in (error.loc, *error.trail) if loc is not None]
    return text if text in names else names[-1]


def _reasons(subject: Subject) -> dict[str, str]:
    return {code: scalar.text for code, scalar in subject.spec.definition.accept.items()}


def _stale(found: Iterable[Finding], subject: Subject) -> list[Finding]:
    codes = {each.code for each in found}
    stale = []
    for code, scalar in subject.spec.definition.accept.items():
        if code not in codes:
            known = "" if code in RULES else f"; there is no such code, {nearest(code, RULES, 40)}"
            message = f"{code} is accepted and not found{known}"
            stale.append(Finding("MB013", WARNING, message, scalar.loc))
    return stale


def _order(finding: Finding) -> tuple[int, int, str]:
    line = finding.loc.line if finding.loc else 0
    return SEVERITIES.index(finding.severity), line, finding.code
