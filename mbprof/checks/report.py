"""Findings as a report, and a rule explained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import mbprof
from mbprof.checks.model import RULES, SEVERITIES, Finding, Rule
from mbprof.checks.run import Checked
from mbprof.checks.sarif import sarif
from mbprof.errors import Loc, UsageError, nearest
from mbprof.output import Column, Report, arranged, picked

_SHOWN = 4


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


def findings_report(
    checked: Sequence[Checked], sort: str | None = None, top: int | None = None
) -> Report:
    """Lay out what checks found; data is a list of findings, SARIF has all of them.

    Raises: UsageError: no such column, or ``top`` below 1.
    """
    findings = [(subject, finding) for subject in checked for finding in subject.findings]
    names = ", ".join(subject.name for subject in checked)
    report = Report(
        title=f"{names}: {_counts([finding for _, finding in findings])}",
        columns=COLUMNS if len(checked) == 1 else (_SPEC, *COLUMNS),
        rows=tuple({**_row(finding), "spec": subject.name} for subject, finding in findings),
        data=[
            {**finding.to_dict(), "spec": at.name, **at.stamp, "version": mbprof.__version__}
            for at, finding in findings
        ],
        sarif=sarif([finding for _, finding in findings]),
        known=(_SPEC, *COLUMNS),
        listed="",
    )
    shown = [findings[number][1] for number in picked(report, sort, top)]
    report = arranged(report, sort, top)
    notes = [_hint(finding) for finding in shown if finding.hint or finding.reason]
    if shown:
        notes.append("mbprof check --explain CODE says why a finding matters, and its source.")
    return replace(report, notes=(*report.notes, *dict.fromkeys(notes)))


def _hint(finding: Finding) -> str:
    if finding.reason is not None:
        return f"{finding.code} is accepted: {finding.reason}"
    return f"{finding.code}: {finding.hint}"


def _row(finding: Finding) -> Mapping[str, Any]:
    return {**finding.to_dict(), "place": _place(finding.loc)}


def _counts(findings: Sequence[Finding]) -> str:
    """Count findings by severity in words."""
    said = []
    for severity in SEVERITIES:
        number = sum(finding.severity == severity for finding in findings)
        if number:
            plural = "s" if number > 1 and severity in ("error", "warning") else ""
            said.append(f"{number} {severity}{plural}")
    return ", ".join(said) or "nothing found"


def rules_report() -> Report:
    """List the rules."""
    columns = (
        Column("code", "code", "the code"),
        Column("severity", "severity", "how grave it is"),
        Column("title", "finds", "what it finds", wraps=True),
    )
    rows = tuple(
        {"code": rule.code, "severity": rule.severity, "title": rule.title}
        for rule in sorted(RULES.values(), key=lambda rule: rule.code)
    )
    return Report(f"{len(rows)} rules", columns, rows, [dict(row) for row in rows])


def rule_report(code: str) -> Report:
    """Explain a rule: what it finds, how that is computed, why it matters, what helps, its source.

    Raises: UsageError: no such code.
    """
    if code not in RULES:
        raise UsageError(f"unknown code {code!r}", hint=nearest(code, sorted(RULES), 50))
    rule = RULES[code]
    data = {"code": rule.code, "severity": rule.severity, "title": rule.title, **_parts(rule)}
    return Report(f"{rule.code}, {rule.severity}", (), (), data, text=rule.text)


def _parts(rule: Rule) -> dict[str, str]:
    """Return what a rule says of itself by part."""
    found = {}
    for line in rule.text.split("\n"):
        name, colon, rest = line.partition(": ")
        if colon and name in ("Why", "Remedy", "Source"):
            part = name.lower()
            found[part] = rest
        elif found:
            part = list(found)[-1]
            found[part] += f" {line.strip()}"
    return found
