"""What a spec says besides its rows: published claims, a budget, what its library calls."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from fnmatch import fnmatchcase

from mbprof.errors import ExpressionError, Loc, SpecError, UsageError, unknown
from mbprof.language import dtypes
from mbprof.language.amounts import read_bytes
from mbprof.language.counts import Quantity, quantity
from mbprof.language.expr import Expr
from mbprof.language.fmt import Shapes, Value, several
from mbprof.language.record import record
from mbprof.language.source import (
    Entry,
    Map,
    Node,
    Scalar,
    few,
    known_keys,
    left_out,
    mapping,
    one_of,
    required,
    sequence,
    text,
    value_of,
    word,
    words,
)
from mbprof.ops import OPS, Op
from mbprof.ops.conv import FUNCTIONS
from mbprof.ops.fields import expression
from mbprof.spec.overlay import as_mapping

SCOPES = ("body", "all")
"""What of a network is counted: it without its head, or all of it."""
CLAIM_KEYS = {
    "at": "the knobs that it holds at, such as {alpha: 0.5, res: 160}",
    "flavour": "the flavour that it is about",
    "preset": "the preset that it is about",
    "scope": "what is counted: all (the default) or body",
    "convention": "how is counted: a convention, kernels unless given",
    "params": "the number of parameters, with the digits that were printed, such as 3.4M",
    "macs": "the number of multiply-accumulates, with the digits that were printed",
    "rounding": "how the digits were rounded: nearest (the default) or down",
    "source": "who published it, and where",
    "erratum": "why the number is wrong in its source",
    "other": "what the number is of, if of another network or a budget",
}
"""The keys of a claim, with what each is."""


def section(node: Map, key: str) -> Mapping[str, Entry]:
    """Return the entries of a mapping that may be left out.

    Raises: SpecError: it is no mapping.
    """
    value = node.get(key)
    return {} if value is None else mapping(value, key).entries


def presets(node: Map) -> dict[str, Map]:
    """Return what each preset says; under ``columns`` and ``rows`` a row is a preset.

    Raises: SpecError: a row without a name or of another length, two presets of one name.
    """
    entries = dict(section(node, "presets"))
    columns, rows = entries.pop("columns", None), entries.pop("rows", None)
    found = {name: mapping(entry.value, f"preset {name}") for name, entry in entries.items()}
    names = words(columns.value, "columns") if columns else ()
    for item in sequence(rows.value, "rows").items if rows else ():
        row = as_mapping(item, names)
        name = word(required(row, "name", "a preset"), "name")
        if name.text in found:
            raise SpecError(f"there are two presets {name.text}", name.loc)
        others = {key: entry for key, entry in row.entries.items() if key != "name"}
        found[name.text] = Map(others, row.loc)
    return found


def listed(node: Map, key: str) -> tuple[Scalar, ...]:
    """Return one value or a list of values that may be left out."""
    value = node.get(key)
    if value is None:
        return ()
    texts = words(value, key)
    few(texts, f"values of {key}", value.loc)
    return texts


def chosen_scope(asked: str | None, usual: str = "all") -> str:
    """Return the scope that is asked for, or the usual one.

    Raises: UsageError: no such scope.
    """
    scope = asked or usual
    if scope not in SCOPES:
        raise unknown("scope", scope, SCOPES)
    return scope


@record
class Stated:
    """The sizes that a network or a block is meant for, as typed and as ranges."""

    scalar: Scalar
    ranges: tuple[range, ...]


def stated(entry: Entry | None, most: int) -> Stated | None:
    """Read ``sizes:``, such as ``32:512:32`` or ``224, 256``; a range includes its end.

    Raises: SpecError: it is no such text, or a size is below 1 or above ``most``.
    """
    if entry is None:
        return None
    scalar = word(entry.value, "sizes")
    ranges = []
    for part in scalar.text.split(","):
        match = re.fullmatch(r"\s*([0-9]{1,9})(?::([0-9]{1,9})(?::([0-9]{1,9}))?)?\s*", part)
        first, last, step = (int(number or 0) for number in match.groups()) if match else (0, 0, 0)
        last, step = last or first, step or 1
        if not 1 <= first <= last <= most or (last - first) % step:
            hint = "write START:STOP:STEP, STOP included, or sizes with commas between them"
            raise SpecError(f"{scalar.text!r} are no sizes from 1 to {most:,}", scalar.loc, hint)
        ranges.append(range(first, last + 1, step))
    return Stated(scalar, tuple(ranges))


@record
class Claim:
    """What somebody published: at which knobs, of which flavour, counted how."""

    loc: Loc
    source: str
    at: Mapping[str, Value]
    flavour: str | None
    preset: str | None
    scope: str
    convention: str
    params: Quantity | None
    macs: Quantity | None
    erratum: str | None
    other: str | None = None
    """What the number is of, if of another network or a budget."""


def claims(node: Node | None) -> tuple[Claim, ...]:
    """Read ``published:``; an item with ``columns`` and ``rows`` stands for a claim each row.

    Whether the knobs exist is seen when a claim is recomputed, since a flavour has its own.
    Raises: SpecError: an unknown key, a number that is none.
    """
    items = sequence(node, "published").items if node else ()
    return tuple(
        _claim(entries) for item in items for entries in _expanded(mapping(item, "a claim"))
    )


def _expanded(item: Map) -> Iterator[Map]:
    columns, rows = item.get("columns"), item.get("rows")
    if columns is None and rows is None:
        yield item
        return
    names = words(required(item, "columns", "a table of claims"), "columns")
    common = {key: entry for key, entry in item.entries.items() if key not in ("columns", "rows")}
    shared = item.get("at")
    settings = shared.entries if isinstance(shared, Map) else {}
    few(settings, "settings of a claim", item.loc)
    for row in sequence(required(item, "rows", "a table of claims"), "rows").items:
        cells = sequence(row, "a row").items
        if len(cells) != len(names):
            counted = several(len(cells), "cell"), several(len(names), "column")
            raise SpecError(f"the row has {' for '.join(counted)}", row.loc)
        filled = {
            name.text: Entry(name, cell)
            for name, cell in zip(names, cells, strict=True)
            if not left_out(cell)
        }
        own = {key: entry for key, entry in filled.items() if key in CLAIM_KEYS}
        turned = {key: entry for key, entry in filled.items() if key not in CLAIM_KEYS}
        at = Map({**settings, **turned}, row.loc)
        yield Map({**common, **own, "at": Entry(Scalar("at", row.loc), at)}, row.loc)


def _claim(node: Map) -> Claim:
    known_keys(node, CLAIM_KEYS, "a claim")
    settings = section(node, "at")
    rounding = one_of(node, "rounding", ("nearest", "down"), "nearest")
    counts = {
        key: quantity(word(value, key), key).rounded(rounding)
        for key in ("params", "macs")
        if (value := node.get(key)) is not None
    }
    if not counts:
        raise SpecError("a claim needs params or macs", node.loc)
    return Claim(
        loc=node.loc,
        source=word(required(node, "source", "a claim"), "source").text,
        at={key: value_of(word(entry.value, key)) for key, entry in settings.items()},
        flavour=text(node, "flavour") or None,
        preset=text(node, "preset") or None,
        scope=one_of(node, "scope", SCOPES, "all"),
        convention=text(node, "convention", "kernels"),
        params=counts.get("params"),
        macs=counts.get("macs"),
        erratum=text(node, "erratum") or None,
        other=text(node, "other") or None,
    )


BUDGET_KEYS = {
    "macs": "the most multiply-accumulates, such as 300M or 300e6",
    "params": "the most params, such as 4M",
    "peak": "the most bytes that are live at once at inference, such as 320KB",
    "weights": "the most bytes of all stored values, such as 1MiB",
    "dtype": "the type of numbers that bytes are counted at, such as int8; float32 unless given",
}
"""What a budget can limit, with what each is."""


@record
class Limit:
    """A limit as typed, and as a count, which is of bytes where memory is limited."""

    scalar: Scalar
    count: int


@record
class Budget:
    """The limits of a network, None where there is none."""

    params: Limit | None = None
    macs: Limit | None = None
    peak: Limit | None = None
    weights: Limit | None = None
    dtype: str | None = None
    """What bytes are counted at; None for what the network says, or the usual type."""


def limit(scalar: Scalar, kind: str) -> Limit:
    """Read one limit, of params or macs, or of the bytes of peak or weights.

    Raises: SpecError: no count, or no number of bytes.

    >>> from mbprof.errors import Loc, Source
    >>> limit(Scalar("3.5e6", Loc(Source("s", ""), 1, 1)), "macs").count
    3500000
    """
    if kind not in ("peak", "weights"):
        return Limit(scalar, quantity(scalar, kind).value)
    try:
        return Limit(scalar, read_bytes(scalar.text))
    except UsageError as error:
        raise SpecError(error.message, scalar.loc, error.hint) from None


def _dtype(scalar: Scalar) -> str:
    try:
        return dtypes.dtype(scalar.text).name
    except UsageError as error:
        raise SpecError(error.message, scalar.loc, error.hint) from None


def budget(root: Map) -> Budget:
    """Read ``budget: {macs: 300M, params: 4M, peak: 320KB, dtype: int8}``.

    Raises: SpecError: an unknown key, a value that is no count, number of bytes or type.
    """
    entries = section(root, "budget")
    known_keys(Map(entries, root.loc), BUDGET_KEYS, "budget")
    words = {key: word(entry.value, key) for key, entry in entries.items()}
    dtype = words.pop("dtype", None)
    limits = {key: limit(scalar, key) for key, scalar in words.items()}
    return Budget(**limits, dtype=_dtype(dtype) if dtype else None)


CALL_FIELDS = {
    "k": "the larger side of the window, 1 if there is none",
    "s": "the larger stride, 1 if there is none",
    "d": "the larger dilation, 1 if there is none",
    "g": "groups, 1 if there are none",
}
"""What an expression of ``calls`` can ask of an op."""

Choice = tuple[str, str | Expr]


@record
class Calls:
    """What is called for an op or activation function; the last pattern that fits decides.

    Counters of live models see modules and functions, not ops: a hook on ``nn.ReLU`` fires for the
    module and not for ``F.relu``. Every op knows what PyTorch calls for it; ``calls:`` says where a
    library wrote something else.
    """

    rules: Mapping[str, tuple[Choice, ...]] = field(default_factory=dict)

    def of(self, op: Op, inputs: Shapes, layer: str) -> str:
        """Return the class or function that stands for an op of a layer.

        Raises: ExpressionError: an expression gives no name.
        """
        rules = self._rules(op)
        for pattern, call in reversed(rules):
            if fnmatchcase(layer, pattern):
                return call if isinstance(call, str) else _chosen(call, op, inputs)
        return op.called

    def length(self, op: Op) -> int:
        """Return how many characters of patterns are compared with the name of a layer."""
        return sum(len(pattern) for pattern, _ in self._rules(op))

    def _rules(self, op: Op) -> tuple[Choice, ...]:
        return self.rules.get(op.function, self.rules.get(op.word, ()))


def _chosen(call: Expr, op: Op, inputs: Shapes) -> str:
    window = op.geometry(inputs)
    env: dict[str, Value] = {
        "k": max(window.kernel or (1,)),
        "s": max(window.stride or (1,)),
        "d": max(window.dilation or (1,)),
        "g": window.groups or 1,
    }
    name = call(env)
    if not isinstance(name, str):
        raise ExpressionError(f"expected the name of a call, found {name}", call.scalar.loc)
    return name


def calls(root: Map) -> Calls:
    """Read ``calls: {OP: NAME}`` or ``{OP: {PATTERN: NAME}}``.

    A name with quotes is an expression of k, s, d and g, such as
    ``'Conv2dSame' if s > 1 else 'nn.Conv2d'``.
    Raises: SpecError: no such op or activation. ExpressionError: an expression is wrong.
    """
    known = [*OPS, *FUNCTIONS]
    rules: dict[str, tuple[Choice, ...]] = {}
    for name, entry in section(root, "calls").items():
        if name not in known:
            raise unknown("op or activation", name, known, entry.key.loc)
        if isinstance(entry.value, Map):
            few(entry.value.entries, f"patterns of {name}", entry.value.loc)
            pairs = [(key, choice.value) for key, choice in entry.value.entries.items()]
        else:
            pairs = [("*", entry.value)]
        rules[name] = tuple((key, _call(word(value, "a call"))) for key, value in pairs)
    return Calls(rules)


def _call(scalar: Scalar) -> str | Expr:
    quoted = "'" in scalar.text
    return expression(scalar, CALL_FIELDS, "a call") if quoted else scalar.text
