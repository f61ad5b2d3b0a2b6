"""ONNX models as specs: from a file, whose weights are never read, from bytes or a ModelProto."""

from __future__ import annotations

import json
import mmap
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from mbprof.errors import ExchangeError, LimitError, MbprofError, Source, SourceError, near_file
from mbprof.exchange.draft import Draft
from mbprof.exchange.onnx_in.wire import without_values
from mbprof.language.fmt import Shape
from mbprof.network.load import Network, loads
from mbprof.spec.foreign import ENDINGS, asked, library
from mbprof.spec.knobs import Given

IMAGES = "mbprof.images"
"""The property of an exported model that names the inputs which are images, the rest weights."""
CONSTANTS = "mbprof.constants"
"""That which names the stored values that are not trained, besides the statistics of norms."""
OLDEST = 7
"""The first opset whose ops broadcast and reshape as later ones do."""
_SIDE = re.compile(r"[0-9]{1,9}")
_RES = re.compile(r"([0-9]{1,9})(?:x([0-9]{1,9}))?")


def read(text: str, given: Given) -> Source:
    """Return the flat spec of a file.

    Raises: SourceError: there is no such file. ExchangeError: it is no network that can be read.
    """
    path = Path(text)
    try:
        if path.is_dir():
            raise SourceError(f"{text} is a directory, not an ONNX file")
        with path.open("rb") as file:
            # Nobody closes it before an error that holds a part of it is gone.
            view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            kept = without_values(view, text)
    except OSError as error:
        raise SourceError(
            f"cannot read {text}: {error.strerror or error}", hint=near_file(path)
        ) from None
    except ValueError as error:  # an empty file cannot be mapped
        raise ExchangeError(f"{text} is no ONNX file: {error}") from None
    return Source(text, drafted(parsed(kept, text), text, path.stem, given).text())


def from_onnx(model: Any, /, **knobs: Any) -> Network:
    """Return the network of an ONNX model: a path, its bytes, or an ``onnx.ModelProto``.

    Axes that the model leaves open need a value, such as ``res=224``. The model is not changed,
    and the values of its weights are not looked at.
    Raises: ExchangeError: it is no network that can be read, or onnx is not installed.
    """
    library(ENDINGS[".onnx"])
    if isinstance(model, str | Path):
        source = read(str(model), knobs)
    else:
        data = model if isinstance(model, bytes | bytearray) else model.SerializeToString()
        kept = without_values(memoryview(data), "the model")
        proto = parsed(kept, "the model")
        name = proto.graph.name if isinstance(proto.graph.name, str) else ""
        source = Source("<onnx>", drafted(proto, "the model", name or "model", knobs).text())
    return loads(source.text, source.name).build(**knobs)


def parsed(data: bytes, source: str) -> Any:
    """Parse a serialised model.

    Raises: ExchangeError: it is none.
    """
    import onnx

    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except Exception as error:  # that of the protobuf library, of whichever release
        raise ExchangeError(f"{source} is no ONNX file: {error}") from None
    return model


def drafted(model: Any, source: str, name: str, given: Given) -> Draft:
    """Return the network of a model.

    Raises: ExchangeError: it cannot be read. LimitError: it is too large.
    """
    from mbprof.exchange.onnx_in.graph import Walk, steps_first
    from mbprof.exchange.onnx_in.rules import translated

    draft = Draft(name, source)
    try:
        check(model, source)
        constants = keep_weights(model, source)
        model = inlined(model, source)
        sizes = images(model, draft, given)
        first = next(iter(sizes.values()), ())
        # A sequence that a recurrent layer takes has its batch axis behind that of the steps.
        axis = int(next(iter(sizes), "") in steps_first(model))
        batch = first[axis] if len(first) > 1 else 1
        translated(Walk(model, source, batch, sizes, constants).run(), draft)
    except MbprofError:
        raise
    except RecursionError:
        raise LimitError(f"{source}: its graphs are nested too deeply") from None
    except Exception as error:  # a damaged file can break any promise that the format makes
        said = str(error).partition("\n")[0]
        message = f"{source} is damaged, or says what ONNX does not: {said}"
        raise ExchangeError(message, hint="onnx.checker.check_model says more") from None
    return draft


def check(model: Any, source: str) -> None:
    """Refuse models of opsets that are not known, and files outside of the model's folder.

    Raises: ExchangeError: see above.
    """
    import onnx

    if not model.HasField("graph") or not model.graph.node:
        raise ExchangeError(f"{source} is no ONNX file, or its graph has no nodes")
    own = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    newest = onnx.defs.onnx_opset_version()
    if not own:
        raise ExchangeError(f"{source} does not say its opset")
    if own[0] > newest:
        message = f"{source} is of opset {own[0]}; the onnx that is installed knows {newest}"
        raise ExchangeError(message, hint="pip install --upgrade onnx")
    if own[0] < OLDEST:
        hint = "onnx.version_converter makes newer ones"
        raise ExchangeError(f"{source} is of opset {own[0]}; the first is {OLDEST}", hint=hint)
    for tensor in _tensors(model.graph, 0, source):
        for entry in tensor.external_data:
            place = entry.value if entry.key == "location" else ""
            parts = {*PurePosixPath(place).parts, *PureWindowsPath(place).parts}
            rooted = PurePosixPath(place).is_absolute() or PureWindowsPath(place).anchor
            if ".." in parts or rooted:
                raise ExchangeError(f"{source}: {tensor.name} stands outside its folder: {place}")


def _tensors(graph: Any, depth: int, source: str) -> Iterator[Any]:
    """Yield the tensors that a graph and those inside it hold."""
    if depth > 50:
        raise LimitError(f"{source}: its graphs are nested too deeply")
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            if attribute.HasField("g"):
                yield from _tensors(attribute.g, depth + 1, source)


def names(model: Any, key: str, known: Iterable[str], source: str) -> list[str] | None:
    """Return the names that a property of an exported model lists, None if it has none.

    Raises: ExchangeError: the property is no list, or it names what is not known.
    """
    said = next((entry.value for entry in model.metadata_props if entry.key == key), None)
    try:
        listed = None if said is None else json.loads(said)
        if listed is None or (isinstance(listed, list) and {*known}.issuperset(listed)):
            return listed
    except (ValueError, TypeError, RecursionError):
        pass
    raise ExchangeError(f"{source}: its property {key} lists what it does not have: {said:.80}")


def keep_weights(model: Any, source: str) -> set[str]:
    """Make initialisers of the inputs that are weights; return those that training never changes.

    Properties of the model say which, see `IMAGES` and `CONSTANTS`.
    Raises: ExchangeError: they say something else, or a weight has no shape.
    """
    graph = model.graph
    images = names(model, IMAGES, [info.name for info in graph.input], source)
    taken = {*(images or ()), *(tensor.name for tensor in graph.initializer)}
    for info in graph.input if images is not None else ():
        if info.name in taken:
            continue
        kind = info.type.tensor_type
        if any(dim.WhichOneof("value") != "dim_value" for dim in kind.shape.dim):
            raise ExchangeError(f"{source}: the weight {info.name!r} has no fixed shape")
        dims = [dim.dim_value for dim in kind.shape.dim]
        graph.initializer.add(name=info.name, dims=dims, data_type=kind.elem_type)
    return {*(names(model, CONSTANTS, [t.name for t in graph.initializer], source) or ())}


def inlined(model: Any, source: str) -> Any:
    """Return a model whose own functions stand where they are called.

    Raises: ExchangeError: a function calls itself. LimitError: they make too many nodes.
    """
    if not model.functions:
        return model
    from mbprof.exchange.onnx_in.graph import MAX_NODES

    bodies = {(f.domain, f.name): f.node for f in model.functions}
    sizes: dict[tuple[str, str], int] = {}

    def size(key: tuple[str, str], inside: tuple[tuple[str, str], ...]) -> int:
        if key in inside:
            raise ExchangeError(f"{source}: the function {key[1]} calls itself")
        if key not in sizes:
            calls = ((node.domain, node.op_type) for node in bodies[key])
            sizes[key] = sum(size(c, (*inside, key)) if c in bodies else 1 for c in calls)
        return sizes[key]

    calls = ((node.domain, node.op_type) for node in model.graph.node)
    if sum(size(call, ()) if call in bodies else 1 for call in calls) > MAX_NODES:
        raise LimitError(f"{source} has more than {MAX_NODES:,} nodes")
    import onnx.inliner

    try:
        return onnx.inliner.inline_local_functions(model)
    except (RuntimeError, ValueError, TypeError) as error:
        message = f"{source}: its functions cannot be put in their place: {error}"
        raise ExchangeError(message) from None


def images(model: Any, draft: Draft, given: Given) -> dict[str, Shape]:
    """Return the shapes of the inputs, with what is asked of axes that they leave open.

    Raises: ExchangeError: an axis is open, and nothing is asked of it.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    shapes: dict[str, Shape] = {}
    for info in model.graph.input:
        if info.name in weights:
            continue
        kind = info.type.tensor_type
        if info.type.WhichOneof("value") != "tensor_type" or not kind.HasField("shape"):
            message = f"{draft.source}: the input {info.name!r} has no shape"
            raise ExchangeError(message, hint="export the network with the shape of its input")
        dims = [d.dim_value if d.HasField("dim_value") else d.dim_param for d in kind.shape.dim]
        closed = [size if isinstance(size, int) and size > 0 else None for size in dims]
        names = ["" if size else str(dims[n] or "") for n, size in enumerate(closed)]
        shapes[info.name] = _closed(info.name, closed, names, draft, given)
    if not shapes:
        raise ExchangeError(f"{draft.source} has no input")
    return shapes


def _closed(
    name: str, sizes: list[int | None], names: list[str], draft: Draft, given: Given
) -> Shape:
    """Return a shape whose open axes have the size that is asked of them."""
    rank, closed, source = len(sizes), list(sizes), draft.source
    if rank > 1 and closed[0] is None:
        closed[0] = draft.knobs["batch"] = _asked(given, "batch", 1, source)
    last = rank == 4 and sizes[3] is not None and sizes[1] is None
    sides = ((1, 2) if last else (2, 3)) if rank == 4 else ()
    if any(closed[side] is None for side in sides):
        typed = asked(given, "res")
        match = _RES.fullmatch(typed or "")
        if match is None:
            open_ = " and ".join(f"axis {s} ({names[s] or '?'})" for s in sides if not closed[s])
            message = f"{source} leaves the size of its input {name!r} open: {open_}"
            raise ExchangeError(message, hint="say it with --res, such as --res 224")
        size = int(match[1]), int(match[2] or match[1])
        closed = [size[sides.index(n)] if n in sides and s is None else s
                  for n, s in enumerate(closed)]  # fmt: skip
    for axis, side in enumerate(closed):
        if side is None:
            knob = re.sub(r"\W+", "_", names[axis] or f"{name}_{axis}", flags=re.ASCII).strip("_")
            knob = knob if knob.isidentifier() else f"axis_{axis}"
            if (typed := asked(given, knob)) is None:
                message = f"{source} leaves axis {axis} of its input {name!r} open"
                raise ExchangeError(message, hint=f"say it with --set {knob}=..., a whole number")
            closed[axis] = draft.knobs[knob] = _asked(given, knob, 0, source)
    return tuple(side or 1 for side in closed)


def _asked(given: Given, knob: str, usual: int, source: str) -> int:
    typed = asked(given, knob)
    if typed is None:
        return usual
    if not _SIDE.fullmatch(typed) or not int(typed):
        message = f"{source}: {knob} is {typed!r}; it must be a whole number of at least 1"
        raise ExchangeError(message)
    return int(typed)
