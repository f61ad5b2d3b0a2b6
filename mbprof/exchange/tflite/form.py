"""The operators of TensorFlow Lite that only move values, and those that resize maps."""

from __future__ import annotations

from typing import Any

from mbprof.exchange.rules import NoRule, new
from mbprof.exchange.tflite.model import Operator
from mbprof.exchange.tflite.reading import MAPS, ROWS, Reading, rule
from mbprof.language.fmt import Shape

HANDED_ON = {"QUANTIZE", "DEQUANTIZE", "CAST", "FAKE_QUANT", "DENSIFY", "BITCAST"}
"""What changes how values are stored: no layer of a network, and no MACs."""
VIEWS = {"RESHAPE", "SQUEEZE", "EXPAND_DIMS"}


@rule("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")
def _resize(reading: Reading, operator: Operator) -> None:
    size = reading.shape(operator.outputs[0], MAPS)[1:]
    mode = "bilinear" if operator.kind == "RESIZE_BILINEAR" else "nearest"
    op = new("resize", size=size, mode=mode)
    reading.add(operator, op, [reading.take(operator, 0, MAPS)], MAPS)


@rule("SPACE_TO_DEPTH", "DEPTH_TO_SPACE")
def _shuffle(reading: Reading, operator: Operator) -> None:
    word = "pixelunshuffle" if operator.kind == "SPACE_TO_DEPTH" else "pixelshuffle"
    op = new(word, by=operator.options["BlockSize"])
    reading.add(operator, op, [reading.take(operator, 0, MAPS)], MAPS)


@rule("LOCAL_RESPONSE_NORMALIZATION")
def _lrn(reading: Reading, operator: Operator) -> None:
    op = new("lrn", size=2 * operator.options["Radius"] + 1)
    reading.add(operator, op, [reading.take(operator, 0, MAPS)], MAPS)


@rule("PAD", "PADV2", "MIRROR_PAD")
def _pad(reading: Reading, operator: Operator) -> None:
    """Pad maps; a sequence of tokens is padded as a single map."""
    amounts = reading.numbers(operator, 1)
    pairs = list(zip(amounts[::2], amounts[1::2], strict=True))
    number = operator.inputs[0]
    if reading.batched(number):
        if any(pairs[0]):
            raise NoRule
        pairs = pairs[1:]
    form = reading.usual(number)
    taken = reading.take(operator, 0, form)
    shape, wanted = reading.draft.shape(taken), reading.shape(operator.outputs[0], form)
    if form == MAPS:
        (top, bottom), (left, right), (first, last) = pairs
        before = first
    elif len(shape) == 2:
        (top, bottom), (left, right), (before, last) = *pairs, (0, 0)
        taken = reading.view(operator, taken, (1, *shape), "map")
    else:
        raise NoRule
    made: dict[str, Any] = {}
    if any((top, bottom, left, right)):
        made["padding"] = (top, bottom, left, right)
    if before or last:
        made["channels"] = shape[0] + before + last
    if not made:
        reading.hand_on(operator, {form: taken})
        return
    reading.add(operator, new("pad", **made), [taken], form, None if form == MAPS else (1, *wanted))


@rule("TRANSPOSE")
def _transpose(reading: Reading, operator: Operator) -> None:
    """Permute the axes but that of the images, which is of size 1 wherever it moves."""
    order, number = reading.numbers(operator, 1), operator.inputs[0]
    if reading.batched(number):
        if order[0] != 0 and reading.batch != 1:
            raise NoRule
        order = tuple(axis - 1 for axis in order if axis != 0)
    taken = reading.take(operator, 0, ROWS)
    shape = reading.draft.shape(taken)
    made = tuple(shape[axis] for axis in order)
    if order == tuple(range(len(order))):
        key = reading.view(operator, taken, reading.shape(operator.outputs[0], ROWS))
        reading.hand_on(operator, {ROWS: key})
        return
    reading.add(operator, new("permute", order=order), [taken], ROWS, made)


@rule("STRIDED_SLICE")
def _strided(reading: Reading, operator: Operator) -> None:
    options = operator.options
    if options.get("EllipsisMask") or options.get("NewAxisMask") or options.get("Offset"):
        raise NoRule
    begin, end, step = (reading.numbers(operator, place) for place in (1, 2, 3))
    full, parts = reading.tensor(operator, 0).shape, []
    for axis, (first, last, by) in enumerate(zip(begin, end, step, strict=True)):
        n, bit = full[axis], 1 << axis
        if by < 1:
            raise NoRule
        start = 0 if options.get("BeginMask", 0) & bit else first % n if first < 0 else first
        stop = n if options.get("EndMask", 0) & bit else last % n if last < 0 else min(last, n)
        if options.get("ShrinkAxisMask", 0) & bit:
            start, stop = first % n, first % n + 1
        parts.append((axis, start, stop, by))
    _sliced(reading, operator, parts)


@rule("SLICE")
def _slice(reading: Reading, operator: Operator) -> None:
    full = reading.tensor(operator, 0).shape
    begin, size = reading.numbers(operator, 1), reading.numbers(operator, 2)
    parts = [
        (axis, first, full[axis] if count < 0 else first + count, 1)
        for axis, (first, count) in enumerate(zip(begin, size, strict=True))
    ]
    _sliced(reading, operator, parts)


def _sliced(reading: Reading, operator: Operator, parts: list[tuple[int, int, int, int]]) -> None:
    """Slice one axis after the other, but those of which everything stays."""
    number, form = operator.inputs[0], reading.form_of(operator)
    full = reading.tensor(operator, 0).shape
    taken = reading.take(operator, 0, form)
    shape = reading.draft.shape(taken)
    steps: list[tuple[int, int, int, int]] = []
    for axis, start, stop, by in parts:
        if (start, stop, by) != (0, full[axis], 1):
            steps.append((reading.axis(number, axis, form), start, stop, by))
    form = form if len(reading.model.tensors[operator.outputs[0]].shape) == len(full) else ROWS
    if not steps:
        key = reading.view(operator, taken, reading.shape(operator.outputs[0], form))
        reading.hand_on(operator, {form: key})
        return
    for place, (axis, start, stop, by) in enumerate(steps, 1):
        op = new("slice", axis=axis, start=start, stop=stop, step=by)
        shape = (*shape[:axis], -(-(stop - start) // by), *shape[axis + 1 :])
        if place < len(steps):
            taken = reading.step(operator, op, taken, shape, f"slice{place}")
    reading.add(operator, op, [taken], form, shape)


@rule("GATHER", "EMBEDDING_LOOKUP")
def _gather(reading: Reading, operator: Operator) -> None:
    """Look up positions: constant ones of a tensor, or those of an input in a constant table."""
    table, at = (1, 0) if operator.kind == "EMBEDDING_LOOKUP" else (0, 1)
    if operator.options.get("BatchDims"):
        raise NoRule
    source, places = reading.tensor(operator, table), reading.tensor(operator, at)
    axis, out = operator.options.get("Axis", 0), operator.outputs[0]
    if source.number in reading.constants:
        rows = reading.trained(source.number, source.shape, "table")
        given = reading.shape(places.number, ROWS)
        made: Shape = (*source.shape[:axis], *given, *source.shape[axis + 1 :])
        reading.add(operator, new("lookup", to=given, axis=axis), [rows], ROWS, made)
        return
    if places.number not in reading.constants:
        raise NoRule
    form = reading.form_of(operator, table)
    taken = reading.take(operator, table, form)
    own = reading.axis(source.number, axis, form)
    shape = reading.draft.shape(taken)
    to = places.shape or (1,)
    kept = form if len(places.shape) == 1 and len(reading.shape(out, ROWS)) == len(shape) else ROWS
    made = (*shape[:own], *to, *shape[own + 1 :])
    reading.add(operator, new("lookup", to=to, axis=own), [taken], kept, made)


@rule(*VIEWS)
def _view(reading: Reading, operator: Operator) -> None:
    """A view makes rows, which become maps where somebody takes them as maps."""
    number, out = operator.inputs[0], operator.outputs[0]
    shapes = reading.model.tensors[number].shape, reading.model.tensors[out].shape
    if shapes[0] == shapes[1] and reading.forms.get(number):
        reading.hand_on(operator, reading.forms[number])
        return
    taken = reading.take(operator, 0, reading.form_of(operator))
    shape = reading.shape(out, ROWS)
    if reading.draft.shape(taken) == shape and reading.form_of(operator) == ROWS:
        reading.hand_on(operator, {ROWS: taken})
        return
    vector = len(shape) == 1
    op = new("flatten") if vector else new("reshape", to=shape)
    reading.add(operator, op, [taken], ROWS)


@rule(*HANDED_ON)
def _handed_on(reading: Reading, operator: Operator) -> None:
    number = operator.inputs[0]
    reading.take(operator, 0, reading.form_of(operator))
    reading.hand_on(operator, reading.forms[number])


@rule("CONCATENATION")
def _concat(reading: Reading, operator: Operator) -> None:
    out, count = operator.outputs[0], len(operator.inputs)
    known = [reading.forms.get(number, {}) for number in operator.inputs]
    maps = reading.usual(out) == MAPS and any(MAPS in forms for forms in known)
    form = MAPS if maps else ROWS
    if any(reading.batched(n) != reading.batched(out) for n in operator.inputs):
        raise NoRule
    taken = [reading.take(operator, place, form) for place in range(count)]
    if count == 1:
        reading.hand_on(operator, {form: taken[0]})
        return
    axis = reading.axis(out, operator.options["Axis"], form)
    reading.add(operator, new("concat", axis=axis), taken, form)


@rule("SPLIT", "SPLIT_V")
def _split(reading: Reading, operator: Operator) -> None:
    place, at = (1, 0) if operator.kind == "SPLIT" else (0, 2)
    (axis,) = reading.numbers(operator, at)
    form = reading.form_of(operator, place)
    taken = reading.take(operator, place, form)
    own = reading.axis(operator.inputs[place], axis, form)
    shapes = tuple(reading.shape(number, form) for number in operator.outputs)
    keys = [reading.key(number) for number in operator.outputs]
    for number, key in zip(operator.outputs, keys, strict=True):
        reading.forms[number] = {form: key}
    if len(keys) == 1:
        reading.hand_on(operator, {form: taken})
        return
    sizes = tuple(shape[own] for shape in shapes)
    op = new("split", parts=len(keys), sizes=() if len({*sizes}) == 1 else sizes, axis=own)
    reading.draft.add(op, [taken], keys, shapes, reading.names[operator.number])


@rule("UNPACK")
def _unpack(reading: Reading, operator: Operator) -> None:
    form, count = reading.form_of(operator), len(operator.outputs)
    taken = reading.take(operator, 0, form)
    own = reading.axis(operator.inputs[0], operator.options.get("Axis", 0), form)
    shape = reading.draft.shape(taken)
    part = (*shape[:own], 1, *shape[own + 1 :])
    parts = [f"{reading.key(number)}_part" for number in operator.outputs]
    if count > 1:
        op = new("split", parts=count, axis=own)
        reading.draft.add(op, [taken], parts, (part,) * count, reading.names[operator.number])
    else:
        parts = [taken]
    for number, each in zip(operator.outputs, parts, strict=True):
        key = reading.view(operator, each, reading.shape(number, ROWS), f"unpacked{number}")
        reading.forms[number] = {ROWS: key}


@rule("PACK")
def _pack(reading: Reading, operator: Operator) -> None:
    out = operator.outputs[0]
    own = reading.axis(out, operator.options.get("Axis", 0), ROWS)
    shape = reading.shape(out, ROWS)
    part = (*shape[:own], 1, *shape[own + 1 :])
    taken = []
    for place, number in enumerate(operator.inputs):
        if number in reading.constants:
            taken.append(reading.trained(number, part, ROWS))
        else:
            row = reading.take(operator, place, ROWS)
            taken.append(reading.view(operator, row, part, f"packed{place}"))
    if len(taken) == 1:
        reading.hand_on(operator, {ROWS: taken[0]})
        return
    reading.add(operator, new("concat", axis=own), taken, ROWS)


@rule("TILE", "BROADCAST_TO")
def _repeated(reading: Reading, operator: Operator) -> None:
    """Look up the same positions over and over, along one axis after the other."""
    number, out = operator.inputs[0], operator.outputs[0]
    full, wanted = (reading.model.tensors[n].shape for n in (number, out))
    if len(full) != len(wanted) or reading.batched(number) != reading.batched(out):
        raise NoRule
    form = reading.form_of(operator)
    taken = reading.take(operator, 0, form)
    shape, ends = reading.draft.shape(taken), reading.shape(out, form)
    grown = [axis for axis, size in enumerate(ends) if shape[axis] != size]
    if not grown:
        reading.hand_on(operator, {form: taken})
        return
    for axis in grown:
        op = new("lookup", to=(ends[axis],), axis=axis)
        shape = (*shape[:axis], ends[axis], *shape[axis + 1 :])
        if axis != grown[-1]:
            taken = reading.step(operator, op, taken, shape, f"axis{axis}")
    reading.add(operator, op, [taken], form)
