"""Check a spec or a block: build it, apply every rule, sort what they find."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
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
)
from mbprof.checks.rules.broken import refused
from mbprof.errors import MbprofError, UsageError, nearest, unknown
from mbprof.language.source import Scalar
from mbprof.language.values import Shape, Value
from mbprof.network import conventions
from mbprof.network.load import Spec
from mbprof.output.stamp import stamp
from mbprof.spec import zoo
from mbprof.spec.block import lone
from mbprof.spec.budget import Budget, limit
from mbprof.spec.knobs import typed

FAILING = {
    "error": (ERROR, UNDECIDED),
    "warning": (ERROR, UNDECIDED, WARNING),
    "advice": (ERROR, UNDECIDED, WARNING, ADVICE),
    "never": (),
}
"""What fails a check, by the word that a user types; what cannot be decided never passes."""


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
        name: limit(Scalar.typed(f"max_{name} ", str(value)), name)
        for name, value in (("macs", max_macs), ("params", max_params))
        if value is not None
    }
    codes = [ignore] if isinstance(ignore, str) else ignore
    return examine(spec, image, typed(knobs), Budget(**limits), codes, convention, scope)


def examine(
    text: str,
    image: str | Shape | None = None,
    given: Mapping[str, Scalar] | None = None,
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
        if not re.fullmatch(r"MB\d{1,3}", code) or not any(name.startswith(code) for name in RULES):
            known = [name for name in RULES if name[:3] == code[:3]] or RULES
            raise unknown("code", code, known, limit=40)
    try:
        subject = _subject(text, image, given or {}, scope)
    except MbprofError as error:
        nothing = stamp(knobs={}, convention=convention)
        return Checked(text, (refused(text, error),), {**nothing, "scope": scope})
    subject.convention, subject.limits = convention, limits or Budget()
    findings = [finding for rule in RULES.values() for finding in rule.apply(subject)]
    kept = [
        finding
        for finding in accepted(findings, subject.spec.definition.accept)
        if not finding.code.startswith(tuple(codes))
    ]
    about = stamp(None, subject.network.knobs, subject.scope, convention)
    return Checked(subject.spec.name, tuple(sorted(kept, key=_order)), about)


def _subject(
    text: str, image: str | Shape | None, given: Mapping[str, Scalar], scope: str | None
) -> Subject:
    opened = zoo.open(text)
    if isinstance(opened, zoo.OpenedBlock):
        spec = Spec(lone(opened, image, given).definition)
        return Subject(spec, spec.build(), True, scope or "all")
    if image is not None:
        raise UsageError("--in gives a block its input; a spec has its own", hint="use --res")
    spec = Spec(opened.definition)
    network = spec.build_at(given)
    network.profile(scope=scope)
    return Subject(spec, network, False, scope or spec.definition.scope)


def _order(finding: Finding) -> tuple[int, int, str]:
    line = finding.loc.line if finding.loc else 0
    return SEVERITIES.index(finding.severity), line, finding.code
