"""Check a spec or a block: build it, apply every rule, sort what they find."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from mbprof.checks.model import (
    RULES,
    SEVERITIES,
    Finding,
    Subject,
    accepted,
)
from mbprof.checks.report import Checked
from mbprof.checks.rules.broken import refused
from mbprof.errors import MbprofError, unknown
from mbprof.language.fmt import Shape, Value
from mbprof.language.source import Scalar
from mbprof.network import conventions
from mbprof.network.load import Network, Spec
from mbprof.network.speclike import SpecLike, as_text, network_at
from mbprof.output.formats import stamp
from mbprof.spec.knobs import typed
from mbprof.spec.sections import Budget, limit


def check(
    spec: SpecLike,
    image: str | tuple[int, int, int] | None = None,
    *,
    max_macs: int | str | None = None,
    max_params: int | str | None = None,
    ignore: Iterable[str] = (),
    convention: str = conventions.DEFAULT,
    scope: str | None = None,
    **knobs: Value,
) -> Checked:
    """Check a spec or a block at some values of its knobs or arguments, or a network as it is.

    ``image`` is the input of a block, HEIGHTxWIDTHxCHANNELS; ``max_macs`` and ``max_params`` limit
    it besides the spec's own budget; ``ignore`` are codes, or how codes begin, that are left out.
    Raises: UsageError: no such spec, convention, scope or code; knobs of a network. KnobError: no
    such knob.

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
    what: SpecLike,
    image: str | Shape | None = None,
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
            raise unknown("code", code, known, limit=40)
    try:
        subject = _subject(what, image, given or {}, scope)
    except MbprofError as error:
        if isinstance(what, Network):
            raise
        text = what.name if isinstance(what, Spec) else as_text(what)
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
    what: SpecLike, image: str | Shape | None, given: Mapping[str, Scalar], scope: str | None
) -> Subject:
    network = network_at(what, given, image)
    chosen = scope or ("all" if network.spec.alone else network.definition.scope)
    network.profile(scope=chosen)
    return Subject(network, chosen)


def _order(finding: Finding) -> tuple[int, int, str]:
    line = finding.loc.line if finding.loc else 0
    return SEVERITIES.index(finding.severity), line, finding.code
