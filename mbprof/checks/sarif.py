"""Findings as a SARIF 2.1.0 log, which code hosts show beside the lines of a change."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from mbprof.checks.model import ACCEPTED, ADVICE, ERROR, RULES, UNDECIDED, WARNING, Finding, Rule
from mbprof.output.formats import stamp

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {ERROR: "error", WARNING: "warning", ADVICE: "note"}


def sarif(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return a log of one run; codes are rule ids, accepted findings are suppressed in source.

    Source: OASIS, Static Analysis Results Interchange Format 2.1.0, section 3.
    """
    index = {code: number for number, code in enumerate(sorted(RULES))}
    driver = {
        "name": "mbprof",
        "semanticVersion": stamp()["version"],
        "informationUri": "https://pypi.org/project/mbprof/",
        "rules": [_rule(RULES[code]) for code in index],
    }
    results = [_result(finding, index[finding.code]) for finding in findings]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.code,
        "name": rule.check.__name__ if rule.check else rule.code,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.text},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
    }


def _result(finding: Finding, index: int) -> dict[str, Any]:
    text = finding.message + (f" Hint: {finding.hint}" if finding.hint else "")
    result: dict[str, Any] = {"ruleId": finding.code, "ruleIndex": index, "message": {"text": text}}
    if finding.severity == UNDECIDED:
        result |= {"kind": "open", "level": "none"}
    elif finding.severity == ACCEPTED:
        result["level"] = _LEVELS[RULES[finding.code].severity]
        result["suppressions"] = [{"kind": "inSource", "justification": finding.reason}]
    else:
        result["level"] = _LEVELS[finding.severity]
    if finding.loc is not None:
        place: dict[str, Any] = {
            "physicalLocation": {
                "artifactLocation": {"uri": _uri(finding.loc.source.name)},
                "region": {"startLine": finding.loc.line, "startColumn": finding.loc.column},
            }
        }
        if finding.layers:
            place["logicalLocations"] = [
                {"name": layer, "kind": "module"} for layer in finding.layers
            ]
        result["locations"] = [place]
    result["properties"] = {"numbers": dict(finding.numbers)}
    return result


def _uri(name: str) -> str:
    from urllib.parse import quote

    path = PurePath(name)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())
