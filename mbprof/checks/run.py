"""Check a spec or a block: apply every rule, and lay out what they found; rules explained."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace
from pathlib import PurePath
from typing import Any

from mbprof.checks.model import ACCEPTED, ERROR, RULES, SEVERITIES, UNDECIDED, Finding, Subject
from mbprof.checks.rules.broken import refused
from mbprof.errors import Loc, MbprofError, Source, UsageError, nearest, span, unknown
from mbprof.language import fmt
from mbprof.language.fmt import Images, Value
from mbprof.language.record import record
from mbprof.language.source import Scalar
from mbprof.network import conventions
from mbprof.network.load import Network, Spec, SpecLike, as_text, loads, network_at
from mbprof.network.sizes import in_words
from mbprof.output import REPORTS, Column, Formats, Note, Report, Screen, arranged, inert, picked
from mbprof.output.formats import page_address, stamp, to_json
from mbprof.output.writers import Result
from mbprof.spec.knobs import typed
from mbprof.spec.sections import Budget, limit

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_REGION = {
    "line": "startLine", "column": "startColumn", "end_line": "endLine", "end_column": "endColumn",
}  # fmt: skip
"""What SARIF calls the ends of a place; both of ours are those of its section 3.30."""
_LEVELS = {"advice": "note", "undecided": "none"}
"""The severities that SARIF calls by another word."""
_UNBROKEN = re.compile(r"(?<=\S)\n(?! |\n|Why: |Remedy: |Source: )")
"""The end of a line that is not the end of a paragraph."""
_SHOWN = 4
_WHY = "mbprof check --explain CODE says why a finding matters, and its source."
FAILING = {
    "error": SEVERITIES[:2],
    "warning": SEVERITIES[:3],
    "advice": SEVERITIES[:4],
    "never": (),
}
"""What fails a check, by the word that a user types; what cannot be decided never passes."""


@record
class Checked(Result):
    """What a check found, by severity and place, and what it is about.

    ``stamp`` says of what the findings are: the knobs, the scope and the convention of budgets.
    """

    name: str
    findings: tuple[Finding, ...]
    stamp: Mapping[str, Any] = field(default_factory=dict)
    network: Network | None = field(default=None, compare=False)

    @property
    def sizes(self) -> str:
        """Which sizes make a network, in a line; nothing where there is no network at all."""
        return in_words(self.network.definition, self.network.knobs) if self.network else ""

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
        return findings_report([self], layout=layout)


def check(
    spec: SpecLike,
    image: Images = None,
    *,
    max_macs: int | str | None = None,
    max_params: int | str | None = None,
    max_peak: int | str | None = None,
    max_weights: int | str | None = None,
    dtype: str | None = None,
    ignore: Iterable[str] = (),
    convention: str = conventions.DEFAULT,
    scope: str | None = None,
    **knobs: Value,
) -> Checked:
    """Check a spec or a block at some values of its knobs or arguments, or a network as it is.

    ``image`` is the input of a block, HEIGHTxWIDTHxCHANNELS, or several; ``max_macs``,
    ``max_params`` and the bytes of ``max_peak`` and ``max_weights`` at a ``dtype`` limit it besides
    the spec's own budget; ``ignore`` are codes, or how codes begin, that are left out.
    Raises: UsageError: no such spec, convention, scope or code; knobs of a network. KnobError: no
    such knob.

    >>> [finding.code for finding in check("dw_sep").findings]
    ['MB214']
    >>> check("mobilenet_v2", max_macs="100M", alpha=0.5).fails()
    False
    """
    limits = {
        name: limit(Scalar.typed(f"max_{name} ", str(value)), name)
        for name, value in (
            ("macs", max_macs), ("params", max_params),
            ("peak", max_peak), ("weights", max_weights),
        )
        if value is not None
    }  # fmt: skip
    codes = [ignore] if isinstance(ignore, str) else ignore
    return examine(
        spec, image, typed(knobs), Budget(**limits, dtype=dtype), codes, convention, scope
    )


def examine(
    what: SpecLike,
    image: Images = None,
    given: Mapping[str, Scalar] | None = None,
    limits: Budget | None = None,
    ignore: Iterable[str] = (),
    convention: str = conventions.DEFAULT,
    scope: str | None = None,
) -> Checked:
    """Check a spec or a block; ``given`` is what was typed for each knob or argument, and where.

    An error with a place in a spec is a finding; one without, such as an unknown name, is raised.
    Raises: UsageError: no such spec, knob, convention, scope or code.
    """
    codes = list(ignore)
    for code in codes:
        if not re.fullmatch(r"MB\d{1,3}", code) or not any(name.startswith(code) for name in RULES):
            known = [name for name in RULES if name[:3] == code[:3]] or RULES
            raise unknown("code", code, known)
    try:
        network = network_at(what, given or {}, image)
        chosen = scope or ("all" if network.spec.alone else network.definition.scope)
        network.profile(scope=chosen)
    except MbprofError as error:
        if isinstance(what, Network):
            raise
        text = what.name if isinstance(what, Spec) else as_text(what)
        nothing = stamp(knobs={}, convention=convention)
        return Checked(text, (refused(text, error),), {**nothing, "scope": scope})
    subject = Subject(network, chosen, convention, limits or Budget())
    findings = [finding for rule in RULES.values() for finding in rule.apply(subject)]
    reasons = network.spec.definition.accept
    kept = (_accepted(f, reasons) for f in findings if not f.code.startswith(tuple(codes)))
    about = stamp(None, network.knobs, chosen, convention)
    return Checked(network.spec.name, tuple(sorted(kept, key=_order)), about, network)


def diagnose(text: str, name: str = "<text>", **knobs: Value) -> list[dict[str, Any]]:
    """Return what an editor shows of the text of a spec: what `check` finds, as plain data.

    What makes it impossible to build the network is a finding, too. Each has ``line``, ``column``,
    ``end_line`` and ``end_column``, see `mbprof.errors.span`.
    Raises: KnobError: no such knob.

    >>> found = diagnose("{name: net, input: {res: 8}, body: [{op: cov, k: 3, c: 4}]}")
    >>> [(each["code"], each["column"], each["end_column"], each["hint"]) for each in found]
    [('MB002', 42, 45, "did you mean 'conv'?")]
    """
    try:
        spec = loads(text, name)
    except MbprofError as error:
        return [refused(name, error.at(Loc(Source(name, text), 1, 1))).to_dict()]
    return [finding.to_dict() for finding in examine(spec, None, typed(knobs)).findings]


def _accepted(finding: Finding, reasons: Mapping[str, Scalar]) -> Finding:
    """Mark a finding that a spec accepts with a reason; that one is in vain stays."""
    if finding.code in reasons and finding.severity != ERROR and finding.code != "MB013":
        return replace(finding, severity=ACCEPTED, reason=reasons[finding.code].text)
    return finding


def _order(finding: Finding) -> tuple[int, int, str]:
    line = finding.loc.line if finding.loc else 0
    return SEVERITIES.index(finding.severity), line, finding.code


def _place(finding: Finding) -> str:
    return f"{finding.loc.source.name}:{finding.loc.line}" if finding.loc else ""


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


@record
class FindingsReport(Report):
    """A table of findings that can be a log for code hosts, too."""

    findings: tuple[Finding, ...] = ()


FINDINGS: Formats[Callable[[FindingsReport, Screen], str]] = Formats(REPORTS)
"""The formats of findings: those of every report, and SARIF."""


@FINDINGS.add("sarif", ".sarif", ".sarif.json", ".json")
def static_analysis(report: FindingsReport, screen: Screen) -> str:
    """Write a log of one run; codes are rule ids, accepted findings are suppressed in source.

    Source: OASIS, Static Analysis Results Interchange Format 2.1.0, section 3.
    """
    rules = [rule for _, rule in sorted(RULES.items())]
    driver = {
        "name": "mbprof",
        "semanticVersion": stamp()["version"],
        "informationUri": "https://pypi.org/project/mbprof/",
        "rules": [
            {
                "id": rule.code,
                "name": rule.check.__name__ if rule.check else rule.code,
                "shortDescription": {"text": rule.title},
                "fullDescription": {"text": rule.text},
                "help": {"text": f"mbprof docs {rule.code} explains it, with examples."},
                **({"helpUri": uri} if (uri := page_address("rules", rule.code)) else {}),
                "defaultConfiguration": {"level": _LEVELS.get(rule.severity, rule.severity)},
            }
            for rule in rules
        ],
    }
    index = {rule.code: number for number, rule in enumerate(rules)}
    results = [_result(finding, index[finding.code]) for finding in report.findings]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return to_json({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}) + "\n"


def _result(finding: Finding, index: int) -> dict[str, Any]:
    text = inert.sarif(finding.message + (f" Hint: {finding.hint}" if finding.hint else ""))
    result: dict[str, Any] = {"ruleId": finding.code, "ruleIndex": index, "message": {"text": text}}
    accepted = finding.severity == ACCEPTED
    severity = RULES[finding.code].severity if accepted else finding.severity
    if severity == UNDECIDED:
        result["kind"] = "open"
    result["level"] = _LEVELS.get(severity, severity)
    if accepted:
        result["suppressions"] = [
            {"kind": "inSource", "justification": inert.sarif(finding.reason or "")}
        ]
    if finding.loc is not None:
        place: dict[str, Any] = {
            "physicalLocation": {
                "artifactLocation": {"uri": _uri(PurePath(finding.loc.source.name))},
                "region": {_REGION[key]: at for key, at in span(finding.loc).items()},
            }
        }
        if finding.layers:
            layers = [{"name": layer, "kind": "module"} for layer in finding.layers]
            place["logicalLocations"] = layers
        result["locations"] = [place]
    result["properties"] = {"numbers": dict(finding.numbers)}
    return result


def _uri(path: PurePath) -> str:
    from urllib.parse import quote

    return path.as_uri() if path.is_absolute() else quote(os.fsencode(path.as_posix()))


def findings_report(
    checked: Sequence[Checked],
    sort: str | None = None,
    top: int | None = None,
    layout: str = "page",
) -> FindingsReport:
    """Lay out what checks found; data is a list of findings.

    Where people read, a note says which sizes of the image make a network.

    Raises: UsageError: no such column, or ``top`` below 1.
    """
    findings = [(subject, finding) for subject in checked for finding in subject.findings]
    names = ", ".join(subject.name for subject in checked)
    report = FindingsReport(
        title=f"{names}: {_counts([finding for _, finding in findings])}",
        columns=COLUMNS if len(checked) == 1 else (_SPEC, *COLUMNS),
        rows=tuple(
            {**finding.to_dict(), "place": _place(finding), "spec": subject.name}
            for subject, finding in findings
        ),
        data=[{**finding.to_dict(), "spec": at.name, **at.stamp} for at, finding in findings],
        known=(_SPEC, *COLUMNS),
        listed="",
    )
    shown = [findings[number][1] for number in picked(report, sort, top)]
    notes: list[str | Note] = [
        f"{finding.code}: {finding.hint}"
        if finding.reason is None
        else f"{finding.code} is accepted: {finding.reason}"
        for finding in shown
        if finding.hint or finding.reason
    ]
    told = checked if layout != "data" else ()
    taken = ((subject.name, subject.sizes) for subject in told)
    notes += [f"Sizes that {name} takes, {sizes}." for name, sizes in taken if sizes]
    if shown:
        notes.append(Note(_WHY))
    report = arranged(report, sort, top)
    noted = (*report.notes, *dict.fromkeys(notes))
    return replace(report, notes=noted, findings=tuple(shown))


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
    rows = tuple(rule.to_dict() for _, rule in sorted(RULES.items()))
    return Report(fmt.several(len(rows), "rule"), columns, rows, [dict(row) for row in rows])


def rule_report(code: str, layout: str = "page") -> Report:
    """Explain a rule: what it finds, how that is computed, why it matters, what helps, its source.

    A terminal breaks the lines of a paragraph itself.

    Raises: UsageError: no such code.
    """
    if code not in RULES:
        raise unknown("code", code, sorted(RULES))
    rule, parts = RULES[code], dict[str, str]()
    for line in rule.text.split("\n"):
        name, colon, rest = line.partition(": ")
        if colon and name in ("Why", "Remedy", "Source"):
            parts[name.lower()] = rest
        elif parts:
            parts[list(parts)[-1]] += f" {line.strip()}"
    data = {**rule.to_dict(), **parts}
    text = _UNBROKEN.sub(" ", rule.text) if layout == "terminal" else rule.text
    text = f"{text.rstrip()}\nExamples: mbprof docs {code}"
    return Report(f"{rule.code}, {rule.severity}", (), (), data, text=text)
