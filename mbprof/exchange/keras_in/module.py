"""Networks of Keras: a model of keras.applications, or one in memory, as the layers of its graph.

A model is built without values of its weights, and nothing is downloaded or run: its functional
graph says which layer takes what, nested models and layers that are called several times included.
"""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from mbprof.errors import ExchangeError, MbprofError, Source, nearest
from mbprof.exchange.draft import Draft
from mbprof.exchange.keras_in import more as keras_more  # noqa: F401 - they fill LAYERS
from mbprof.exchange.keras_in.layers import LAYERS, Walk
from mbprof.exchange.torch_in.views import Value, plain
from mbprof.spec import foreign
from mbprof.spec.knobs import Given

_USUAL = (224, 224, 3)
"""The image of a model that takes any."""
_BACKENDS = {"torch": "torch", "jax": "jax", "tensorflow": "tensorflow"}
"""Backends of Keras by the module that has to be there, the quickest to import first."""


def keras_library() -> Any:
    """Import Keras; where nobody chose a backend, with one that is installed."""
    if "keras" not in sys.modules and "KERAS_BACKEND" not in os.environ:
        there = (name for name, module in _BACKENDS.items() if importlib.util.find_spec(module))
        os.environ["KERAS_BACKEND"] = next(there, "numpy")
    import keras

    return keras


def read(text: str, given: Given) -> Source:
    """Return the flat spec of a model that ``keras:NAME`` names, one of keras.applications.

    Raises: ExchangeError: there is no such model, or it cannot be built at this resolution.
    """
    return _read(text, foreign.asked(given, "res"), foreign.asked(given, "channels"))


@lru_cache(maxsize=16)
def _read(text: str, res: str | None, channels: str | None) -> Source:
    name = text.partition(":")[2]
    keras = keras_library()
    known = {n: f for n, f in vars(keras.applications).items() if inspect.isfunction(f)}
    known = {n: f for n, f in known.items() if "weights" in inspect.signature(f).parameters}
    if name not in known:
        raise ExchangeError(f"keras has no model {name!r}", hint=nearest(name, known))
    shape: dict[str, Any] = {}
    if res or channels:
        sides = [int(side) for side in (res or "224").replace("×", "x").split("x")]
        shape = {"input_shape": (sides[0], sides[-1], int(channels or 3))}
    with _quiet():
        try:
            with keras.StatelessScope(**_lazily(keras)):
                model = known[name](weights=None, **shape)
                if None in model.inputs[0].shape[1:]:
                    model = known[name](weights=None, input_shape=_USUAL)
        except Exception as error:
            message = f"{text} cannot be built: {type(error).__name__}: {error}".splitlines()[0]
            raise ExchangeError(message) from None
        return Source(text, drafted(model, name, text).text())


def _lazily(keras: Any) -> dict[str, bool]:
    """Return what makes a scope in which variables never get values, where Keras offers it."""
    named = inspect.signature(keras.StatelessScope.__init__).parameters
    return {"initialize_variables": False} if "initialize_variables" in named else {}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
        warnings.simplefilter("ignore")
        yield


def drafted(model: Any, name: str, source: str, example: Any = None) -> Draft:
    """Return a model as a draft; one that is a class of its own is called on ``example``.

    Raises: ExchangeError: it has no graph, and does not run on tensors without values.
    """
    draft = Draft(name, source)
    walk = Walk(draft)
    graph = _graph(model, source, example)
    values = []
    for number, tensor in enumerate(graph.inputs, 1):
        shape = (1, *tensor.shape[1:])
        if None in shape:
            message = f"{source}: an input has no size of its own: {tuple(tensor.shape)}"
            raise ExchangeError(message, hint="--res H or HxW gives it one")
        image = plain(shape)
        if len(image) == 3:  # channels stand last
            image = (image[2], image[0], image[1])
            draft.image(f"x{number}", image)
            value = Value((image[0], 1, *image[1:]), f"x{number}")
            values.append(walk.tape.permute(value, (1, 2, 3, 0)))
        else:
            draft.image(f"x{number}", image)
            values.append(Value(shape, f"x{number}"))
    for number, value in enumerate(_walked(walk, graph, values, "", source), 1):
        maps = len(value.shape) == 4  # whose channels stand first in a spec
        draft.output(walk.maps(value) if maps else walk.tape.whole(value), f"out{number}")
    return draft


def is_model(value: Any) -> bool:
    """Whether a value is a model of Keras; Keras is not imported for that."""
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(value, keras.Model)


def _graph(model: Any, source: str, example: Any = None) -> Any:
    """Return the functional graph of a model."""
    graph = getattr(model, "_functional", None) or model
    if hasattr(graph, "_nodes_by_depth"):
        return graph
    shape = tuple(getattr(example, "shape", None) or example or (1, *_USUAL))
    with _quiet():
        try:
            return _called(model, [keras_library().KerasTensor((1, *shape[1:]))])
        except Exception as error:
            why = f"{type(error).__name__}: {error}".splitlines()[0][:300]
            message = f"{source}: {type(model).__name__} has no graph of layers, as {why}"
            hint = "a functional or sequential model has one; return the model and its example"
            raise ExchangeError(message, hint=hint) from None


def _called(layer: Any, inputs: Sequence[Any], node: Any = None) -> Any:
    """Return the graph of what a layer of the user's calls, on tensors without values."""
    keras = keras_library()
    args, kwargs = tuple(inputs), {}
    if node is not None:
        fresh = dict(zip(map(id, node.arguments.keras_tensors), inputs, strict=True))

        def replaced(value: Any) -> Any:
            return fresh.get(id(value), value)

        args = keras.tree.map_structure(replaced, node.arguments.args)
        kwargs = keras.tree.map_structure(replaced, node.arguments.kwargs)
    if not layer.built:
        layer(*args, **kwargs)
    made = layer.call(*args, **kwargs)
    return keras.Function(list(inputs), made)


def _walked(walk: Walk, graph: Any, inputs: Sequence[Value], path: str, source: str) -> list[Value]:
    """Record the layers of a graph, in the order in which they run."""
    known = {id(tensor): value for tensor, value in zip(graph.inputs, inputs, strict=True)}
    for depth in sorted(graph._nodes_by_depth, reverse=True):
        for node in graph._nodes_by_depth[depth]:
            layer = node.operation
            if node.is_input:
                continue
            taken = [known[id(t)] for t in node.arguments.keras_tensors]
            name = f"{path}{layer.name}"
            if hasattr(layer, "_nodes_by_depth") or getattr(layer, "_functional", None):
                made = _walked(walk, _graph(layer, source), taken, f"{name}/", source)
            else:
                made = _recorded(walk, node, taken, name, source)
            for tensor, value in zip(node.output_tensors, made, strict=True):
                shape = (1, *tensor.shape[1:])
                known[id(tensor)] = walk.tape.reshape(value, shape)
    return [known[id(tensor)] for tensor in graph.outputs]


def _recorded(walk: Walk, node: Any, taken: list[Value], name: str, source: str) -> list[Value]:
    layer = node.operation
    outs = [(1, *tensor.shape[1:]) for tensor in node.output_tensors]
    if any(None in shape for shape in outs):
        raise ExchangeError(f"{source}: {name} has a size that the input's does not decide")
    rule = next((LAYERS[c.__name__] for c in type(layer).__mro__ if c.__name__ in LAYERS), None)
    walk.path = name
    try:
        made = rule(walk, layer, taken, outs[0], node.arguments) if rule else None
    except ExchangeError:
        raise
    except MbprofError as error:
        raise ExchangeError(f"{source}: {name}: {error.message}") from None
    if made is None and rule is None and (inner := _expanded(layer, node)) is not None:
        return _walked(walk, inner, taken, f"{name}/", source)
    return [made] if made is not None else walk.unknown(layer, taken, outs)


def _expanded(layer: Any, node: Any) -> Any:
    """Return the graph of a user's own layer that is made of others, None if it is not."""
    tensors = node.arguments.keras_tensors
    own = [id(weight) for inner in getattr(layer, "_layers", ()) for weight in inner.weights]
    if not own or {id(weight) for weight in layer.weights} - set(own):
        return None
    keras = keras_library()
    try:
        fresh = [keras.KerasTensor((1, *t.shape[1:]), t.dtype) for t in tensors]
        return _called(layer, fresh, node)
    except Exception:  # whatever the user's own code does on tensors without values
        return None
