"""Check a spec or a block: build it, apply every rule, sort what they find."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mbprof import conventions
from mbprof.alone import alone, is_block
from mbprof.checks.broken import finding
from mbprof.checks.budget import exceeded
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
from mbprof.errors import Loc, MbprofError, UsageError, nearest
from mbprof.network import load
from mbprof.profile import setting
from mbprof.spec.budget import Budget
from mbprof.spec.knobs import parse

COMMAND_LINE = "command line"
FAILING = {
    "error": (ERROR, UNDECIDED),
    "warning": (ERROR, UNDECIDED, WARNING),
    "advice": (ERROR, UNDECIDED, WARNING, ADVICE),
    "never": (),
}
"""What fails a check, by the word that a user types; what cannot be decided never passes."""

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
    text: str,
    image: str | None = None,
    given: Mapping[str, tuple[str, Loc]] | None = None,
    limits: Budget | None = None,
    ignore: Iterable[str] = (),
    convention: str = conventions.DEFAULT,
    scope: str | None = None,
) -> Checked:
    """Check a spec or a block, by its name or path.

    An error with a place in a file is a finding; one without, such as an unknown name, is raised.
    ``given`` is what was typed for each knob or argument, ``limits`` a budget besides that of the
    spec, ``ignore`` the codes, or beginnings of codes, of rules that are left out.
    Raises: UsageError: no such spec, knob, convention, scope or code.

    >>> [finding.code for finding in check("dw_sep").findings]
    ['MB214']
    """
    for code in ignore:
        if not any(known.startswith(code) for known in RULES):
            raise UsageError(f"unknown code {code!r}", hint=nearest(code, RULES, 40))
    try:
        subject = _subject(text, image, given or {}, scope)
    except MbprofError as error:
        if error.loc is None or error.loc.source.name == COMMAND_LINE:
            raise
        return Checked(text, (finding(error, _own(text, error)),))
    found = [each for rule in RULES.values() for each in rule.apply(subject)]
    found += exceeded(subject, limits or Budget(), convention)
    kept = [each for each in found if not any(each.code.startswith(code) for code in ignore)]
    marked = [*accepted(kept, _reasons(subject)), *_stale(found, subject)]
    knobs = {name: setting(value) for name, value in subject.network.knobs.items()}
    stamp = {"knobs": knobs, "scope": subject.scope, "convention": convention}
    return Checked(subject.spec.name, tuple(sorted(marked, key=_order)), stamp)


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
