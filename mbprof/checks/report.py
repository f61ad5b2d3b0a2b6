"""What a check found, as a report, and a rule explained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mbprof.checks.model import (
    ADVICE,
    ERROR,
    RULES,
    SEVERITIES,
    UNDECIDED,
    WARNING,
    Finding,
    Rule,
)
from mbprof.checks.sarif import sarif
from mbprof.errors import Loc, UsageError, nearest, unknown
from mbprof.language import fmt
from mbprof.output import REPORTS, Column, Formats, Note, Report, Screen, arranged, picked
from mbprof.output.formats import to_json
from mbprof.output.writers import Result

_SHOWN = 4
_WHY = "mbprof check --explain CODE says why a finding matters, and its source."
FAILING = {
    "error": (ERROR, UNDECIDED),
    "warning": (ERROR, UNDECIDED, WARNING),
    "advice": (ERROR, UNDECIDED, WARNING, ADVICE),
    "never": (),
}
"""What fails a check, by the word that a user types; what cannot be decided never passes."""


@dataclass(frozen=True, slots=True, repr=False)
class Checked(Result):
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

    @property
    def brief(self) -> str:
        """What was checked, and how many findings there are of each severity."""
        return f"{self.name}: {_counts(self.findings)}"

    def report(self, layout: str = "page") -> Report:
        """Lay the findings out."""
        return findings_report([self])


def _place(loc: Loc | None) -> str:
    return f"{loc.source.name}:{loc.line}" if loc else ""


def _layers(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _grave(severity: str) -> int:
    """Return how grave a finding is; the gravest is sorted to the front."""
    return -SEVERITIES.index(severity)


_SPEC = Column("spec", "of", "the spec or block", once=True)
COLUMNS = (
    Column("code", "code", "the rule, see mbprof check --explain CODE"),
    Column("severity", "severity", "how grave it is: " + ", ".join(SEVERITIES), rank=_grave),
    Column("place", "place", "file and line", yields=1, wraps=True),
    Column("message", "finding", "what is there, with its numbers", wraps=True),
    Column("layers", "layers", "the layers that it is about", _layers, yields=2, wraps=True),
)


@dataclass(frozen=True, slots=True)
class FindingsReport(Report):
    """A table of findings that can be a log for code hosts, too."""

    findings: tuple[Finding, ...] = ()


FINDINGS: Formats[Callable[[FindingsReport, Screen], str]] = Formats(REPORTS)
"""The formats of findings: those of every report, and SARIF."""


@FINDINGS.add("sarif", ".sarif", ".sarif.json", ".json")
def static_analysis(report: FindingsReport, screen: Screen) -> str:
    """Write findings as a SARIF log."""
    return to_json(sarif(report.findings)) + "\n"


def findings_report(
    checked: Sequence[Checked], sort: str | None = None, top: int | None = None
) -> FindingsReport:
    """Lay out what checks found; data is a list of findings.

    Raises: UsageError: no such column, or ``top`` below 1.
    """
    findings = [(subject, finding) for subject in checked for finding in subject.findings]
    names = ", ".join(subject.name for subject in checked)
    report = FindingsReport(
        title=f"{names}: {_counts([finding for _, finding in findings])}",
        columns=COLUMNS if len(checked) == 1 else (_SPEC, *COLUMNS),
        rows=tuple(
            {**finding.to_dict(), "place": _place(finding.loc), "spec": subject.name}
            for subject, finding in findings
        ),
        data=[{**finding.to_dict(), "spec": at.name, **at.stamp} for at, finding in findings],
        known=(_SPEC, *COLUMNS),
        listed="",
    )
    shown = [findings[number][1] for number in picked(report, sort, top)]
    notes: list[str | Note] = [
        _hint(finding) for finding in shown if finding.hint or finding.reason
    ]
    if shown:
        notes.append(Note(_WHY))
    report = arranged(report, sort, top)
    noted = (*report.notes, *dict.fromkeys(notes))
    return replace(report, notes=noted, findings=tuple(shown))


def _hint(finding: Finding) -> str:
    if finding.reason is not None:
        return f"{finding.code} is accepted: {finding.reason}"
    return f"{finding.code}: {finding.hint}"


def _counts(findings: Sequence[Finding]) -> str:
    """Count findings by severity in words."""
    said = []
    for severity in SEVERITIES:
        number = sum(finding.severity == severity for finding in findings)
        if number:
            counted = severity in ("error", "warning")
            said.append(fmt.several(number, severity) if counted else f"{number} {severity}")
    return ", ".join(said) or "nothing found"


def rules_report() -> Report:
    """List the rules."""
    columns = (
        Column("code", "code", "the code"),
        Column("severity", "severity", "how grave it is"),
        Column("title", "finds", "what it finds", wraps=True),
    )
    rows = tuple(_head(rule) for _, rule in sorted(RULES.items()))
    return Report(f"{len(rows)} rules", columns, rows, [dict(row) for row in rows])


def _head(rule: Rule) -> dict[str, str]:
    return {"code": rule.code, "severity": rule.severity, "title": rule.title}


def rule_report(code: str) -> Report:
    """Explain a rule: what it finds, how that is computed, why it matters, what helps, its source.

    Raises: UsageError: no such code.
    """
    if code not in RULES:
        raise unknown("code", code, sorted(RULES), limit=50)
    rule = RULES[code]
    data = {**_head(rule), **_parts(rule)}
    return Report(f"{rule.code}, {rule.severity}", (), (), data, text=rule.text)


def _parts(rule: Rule) -> dict[str, str]:
    """Return what a rule says of itself by part."""
    parts: dict[str, str] = {}
    for line in rule.text.split("\n"):
        name, colon, rest = line.partition(": ")
        if colon and name in ("Why", "Remedy", "Source"):
            parts[name.lower()] = rest
        elif parts:
            parts[list(parts)[-1]] += f" {line.strip()}"
    return parts
