"""Records a PyTorch module as it runs on tensors without data: every call becomes ops of a draft.

`torch.overrides.TorchFunctionMode` shows the calls as a programmer wrote them, such as F.conv2d,
whatever control flow leads there; the tensors are on the meta device, so nothing is computed.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from mbprof.errors import ExchangeError, MbprofError
from mbprof.exchange.draft import Draft
from mbprof.exchange.rules import new
from mbprof.exchange.torch_in.views import Tape, Value, plain
from mbprof.language.record import NamedTuple
from mbprof.ops import OPS
from mbprof.ops.base import Free
from mbprof.symbolic.arithmetic import product

Tensor: TypeAlias = Any
"""A torch.Tensor, into which type checkers do not look."""
_PREFIXES = {"torch.nn.functional": "F.", "torch._C._nn": "F.", "torch": "torch."}
_SIGNS = {"add": "+", "iadd": "+", "radd": "+", "mul": "*", "imul": "*", "rmul": "*"}
_SIGNS |= {"sub": "-", "isub": "-", "rsub": "-", "matmul": "@", "rmatmul": "@", "truediv": "/"}

_MOVES = frozenset(word for word, op in OPS.items() if issubclass(op, Free) or op.rearranges)
_MOVES |= {"lookup", "tokens", "maps", "param", "constant"}
"""Ops that only make the elements fit: they are not what a module is there for."""


class Static(NamedTuple):
    """A tensor that does not depend on the input: the stored tensors that it is made of."""

    shape: tuple[int, ...]
    leaves: tuple[str, ...] = ()


class Call(NamedTuple):
    """A call of a function: its arguments by name where it says them, and what it returned."""

    func: Callable[..., Any]
    args: tuple[Any, ...]
    named: Mapping[str, Any]
    out: Any

    def get(self, place: int, name: str, default: Any = None) -> Any:
        """Return an argument by its name, or by its place if the function says no names."""
        if name in self.named:
            return self.named[name]
        return self.args[place] if place < len(self.args) else default


Rule: TypeAlias = Callable[["Recorder", Call], object]
"""Records a call; NotImplemented says that it cannot."""


@lru_cache(maxsize=4096)
def word_of(func: Callable[..., Any]) -> str:
    """Return a function's name without what says how it is called: ``add`` of ``__iadd__``."""
    schema = getattr(func, "_schema", None)
    if schema is not None:
        name = schema.name.partition("::")[2]
    else:
        name = getattr(func, "__name__", "") or type(func).__name__
    if name == "__get__":
        return f"get_{getattr(func.__self__, '__name__', '')}"  # type: ignore[attr-defined]
    called: str = name
    return called.strip("_") if called.startswith("__") else called.removesuffix("_").lstrip("_")


@lru_cache(maxsize=4096)
def _names(func: Callable[..., Any]) -> tuple[str, ...]:
    """Return the names of a function's arguments, nothing where it does not say them."""
    schema = getattr(func, "_schema", None)
    if schema is not None:
        return tuple(argument.name for argument in schema.arguments)
    if not inspect.isfunction(func) or func.__code__.co_flags & inspect.CO_VARARGS:
        return ()
    code = func.__code__
    return code.co_varnames[: code.co_argcount]


def tensors(tree: Any) -> Iterator[Tensor]:
    """Yield the tensors in arguments or results, in their order."""
    if isinstance(tree, torch.Tensor):
        yield tree
    elif isinstance(tree, Mapping):
        for item in tree.values():
            yield from tensors(item)
    elif isinstance(tree, list | tuple):
        for item in tree:
            yield from tensors(item)
    elif hasattr(tree, "__dataclass_fields__"):
        yield from tensors(vars(tree))


class Recorder(TorchFunctionMode):  # type: ignore[misc]
    """Writes what a module calls to a draft; `rules` say what ops a function is."""

    def __init__(
        self,
        draft: Draft,
        module: torch.nn.Module,
        rules: Mapping[str, Rule],
        heavy: frozenset[str],
        within: frozenset[str],
    ) -> None:
        super().__init__()
        self.draft, self.module = draft, module
        self.rules, self.heavy, self.within = rules, heavy, within
        self.tape = Tape(draft, self.name)
        self.values: dict[int, Value | Static] = {}
        self.alive: list[Tensor] = []
        """All tensors, so that no new one gets the identity of one that is gone."""
        self.path: list[tuple[str, torch.nn.Module]] = [("", module)]
        self.used: dict[str, str] = {}
        """The stored tensors that an op holds, with the name under which it shares them."""
        self.calling: Callable[..., Any] | None = None
        self.trained = dict(module.named_parameters())
        self.stored: dict[str, Tensor] = {**dict(module.named_buffers()), **self.trained}
        for name, tensor in self.stored.items():
            self._keep(tensor, Static(tuple(tensor.shape), (name,)))
        for name, child in module.named_modules():
            self._watch(name, child)

    def _watch(self, name: str, module: torch.nn.Module) -> None:
        """Know which module runs; the hooks are on the recorder's own copy."""
        module.register_forward_pre_hook(lambda *_: self.path.append((name, module)))
        module.register_forward_hook(lambda *_: self.path.pop() and None)

    def images(self, inputs: Iterable[Tensor]) -> None:
        """Say which tensors are the images of the draft."""
        for image, tensor in zip(self.draft.images, inputs, strict=True):
            self._keep(tensor, Value(tuple(tensor.shape), image.tensor))

    # Names.

    def name(self, word: str) -> str:
        """Return a row's name: the module's, and the op's where it is one of the module's own."""
        path, module = self.path[-1]
        if not path:
            return word
        own = next(module.children(), None) is None and word not in _MOVES
        return path if own else f"{path}.{word}"

    @property
    def call(self) -> str:
        """What a counter of live models sees: the class of the module, or the function."""
        module = self.path[-1][1]
        if next(module.children(), None) is None and len(self.path) > 1:
            own = type(module)
            builtin = own.__module__.startswith("torch.nn.modules")
            return f"nn.{own.__name__}" if builtin else own.__name__
        return _called(self.calling) if self.calling else ""

    # Tensors.

    def _keep(self, tensor: Tensor, value: Value | Static) -> None:
        self.alive.append(tensor)
        self.values[id(tensor)] = value

    def set(self, tensor: Tensor, value: Value) -> None:
        """Say what a tensor is.

        Raises: ExchangeError: it has another number of elements.
        """
        shape = tuple(tensor.shape)
        if product(shape) != product(self.draft.shape(value.tensor)):
            own = self.draft.shape(value.tensor)
            message = f"{self.where()}: {shape} cannot be {own}"
            raise ExchangeError(message)
        if shape != value.shape:
            value = self.tape.reshape(value, shape)
        self._keep(tensor, value)

    def known(self, tensor: Tensor) -> Value | Static:
        """Return what is known of a tensor; what nothing made before is a constant."""
        value = self.values.get(id(tensor))
        if value is None:
            value = Static(tuple(tensor.shape))
            self._keep(tensor, value)
        return value

    def static(self, tensor: object) -> bool:
        """Whether a tensor depends on stored ones only."""
        return isinstance(tensor, torch.Tensor) and isinstance(self.known(tensor), Static)

    def value(self, tensor: Tensor) -> Value:
        """Return a tensor as a value of the draft; stored ones become ``param`` steps."""
        known = self.known(tensor)
        if isinstance(known, Static):
            known = self._provided(known)
            self._keep(tensor, known)
        return known

    def _provided(self, static: Static) -> Value:
        leaves = [leaf for leaf in static.leaves if leaf in self.trained]
        free = [leaf for leaf in leaves if leaf not in self.used]
        wanted = plain(static.shape)
        if not leaves or not (free or any(self.used[leaf].startswith("=") for leaf in leaves)):
            name = static.leaves[0] if len(static.leaves) == 1 else ""
            op = new("param", shape=wanted, trained=False)
            return Value(static.shape, self.tape.one(op, name=name or self.name("constant")))
        made = [self.param(leaf, wanted) for leaf in leaves if leaf in free or self._emitted(leaf)]
        flats = [self.tape.raw(tensor, (product(self.draft.shape(tensor)),)) for tensor in made]
        tensor = made[0] if len(made) == 1 else self.tape.one(new("concat"), *flats)
        if product(self.draft.shape(tensor)) != product(static.shape):
            flat = self.tape.raw(tensor, (product(self.draft.shape(tensor)),))
            tensor = self.tape.one(new("lookup", to=wanted), flat)
        return Value(static.shape, tensor)

    def _emitted(self, leaf: str) -> bool:
        return self.used[leaf].startswith("=")

    def param(self, leaf: str, wanted: tuple[int, ...] = ()) -> str:
        """Return the tensor of a parameter, which is provided once, in the shape that fits."""
        if leaf not in self.used:
            own = plain(tuple(self.stored[leaf].shape))
            shape = wanted if product(wanted) == product(own) and wanted else own
            self.used[leaf] = "=" + self.tape.one(new("param", shape=shape), name=leaf)
        return self.used[leaf][1:]

    def derive(self, tensor: Tensor, source: Tensor) -> None:
        """Say that a tensor is a view of a stored one."""
        self._keep(tensor, Static(tuple(tensor.shape), self._leaves(source)))

    def leaf(self, tensor: Tensor | None, size: int) -> str:
        """Return the stored tensor of a size that a weight is made of, or an empty text."""
        if tensor is None or not self.static(tensor):
            return ""
        known = self.known(tensor)
        sizes = (leaf for leaf in known.leaves if self.stored[leaf].numel() == size)  # type: ignore[union-attr]
        return next(sizes, "")

    def hold(self, *leaves: str) -> str | None:
        """Let an op hold stored tensors; what holds the same ones again shares them.

        Returned is the name under which it does; None if they are held in another combination.
        """
        said = [leaf for leaf in leaves if leaf]
        key = " ".join(said)
        if any(self.used.get(leaf, key) != key for leaf in said):
            return None
        self.used.update(dict.fromkeys(said, key))
        return key

    # Calls.

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        return self.called(func, args, kwargs or {})

    def called(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Any, core: bool = False
    ) -> Any:
        """Run a function and record it; where it has no rule, as what PyTorch's core then runs."""
        word = word_of(func)
        outside, self.calling = self.calling, self.calling or func
        try:
            if word not in self.within or core:
                out = func(*args, **kwargs)
                dynamic = self._record(word, func, args, kwargs, out)
                if dynamic is None:
                    return out
            if not core:
                with _Inside(self):
                    out = func(*args, **kwargs)
                dynamic = [t for t in tensors((args, kwargs)) if not self.static(t)]
            made = [*tensors(out)]
            if core or any(id(tensor) not in self.values for tensor in made):
                self.unknown(word_of(self.calling), dynamic or [], made)
        finally:
            self.calling = outside
        return out

    def _record(
        self, word: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Any, out: Any
    ) -> list[Tensor] | None:
        """Record a call; return what it takes where there is no rule for it, else None."""
        inputs = [*tensors(args), *tensors(kwargs)]
        if word == "setitem":
            made = [inputs[0]]
        else:
            made = [tensor for tensor in tensors(out) if tensor.dim() or not _counted(word)]
        if not made:
            return None
        dynamic = [tensor for tensor in inputs if not self.static(tensor)]
        if not any(tensor.numel() for tensor in made):
            dynamic, inputs = [], []
        if not dynamic and not (word in self.heavy and inputs):
            leaves = tuple(dict.fromkeys(leaf for t in inputs for leaf in self._leaves(t)))
            for tensor in made:
                self._keep(tensor, Static(tuple(tensor.shape), leaves))
            return None
        names = _names(func)
        call = Call(func, args, {**dict(zip(names, args, strict=False)), **kwargs}, out)
        rule = self.rules.get(word)
        try:
            if rule is None or rule(self, call) is NotImplemented:
                return [*dynamic, *(t for t in inputs if self._trained(t))]
        except MbprofError as error:
            if isinstance(error, ExchangeError):
                raise
            raise ExchangeError(f"{self.where()}: {error.message}") from None
        return None

    def _trained(self, tensor: Tensor) -> bool:
        return not self.trained.keys().isdisjoint(self._leaves(tensor))

    def _leaves(self, tensor: Tensor) -> tuple[str, ...]:
        known = self.known(tensor)
        return known.leaves if isinstance(known, Static) else ()

    def unknown(self, word: str, inputs: Sequence[Tensor], made: Sequence[Tensor]) -> None:
        """Record a call that there is no rule for; stored tensors that it takes are its inputs."""
        taken = list(dict.fromkeys(self.tape.whole(self.value(t)) for t in inputs))
        outputs = self.tape.unknown(word, taken, tuple(plain(tuple(t.shape)) for t in made))
        for tensor, output in zip(made, outputs, strict=True):
            self._keep(tensor, Value(tuple(tensor.shape), output))

    def where(self) -> str:
        """Say which module runs."""
        path, module = self.path[-1]
        return f"{path} ({type(module).__name__})" if path else type(module).__name__

    def finish(self, results: Any) -> None:
        """Say what the module returned, and list what it stores and never used."""
        number = 0
        for tensor in tensors(results):
            if not self.static(tensor):
                number += 1
                self.draft.output(self.tape.whole(self.value(tensor)), f"out{number}")
        if not number:
            raise ExchangeError(
                f"{self.draft.source}: it returns nothing that depends on its input"
            )
        for leaf in self.trained:
            if leaf not in self.used:
                shape = plain(tuple(self.stored[leaf].shape))
                self.draft.unused(new("param", shape=shape), leaf)


def _counted(word: str) -> bool:
    """Whether a function without tensors in its result only asks a question."""
    return word in ("get_shape", "size", "dim", "numel")


@lru_cache(maxsize=4096)
def _called(func: Callable[..., Any]) -> str:
    name = getattr(func, "__name__", "")
    if name.startswith("__"):
        return _SIGNS.get(name.strip("_"), f"Tensor.{name.strip('_')}")
    if getattr(func, "__qualname__", "").startswith(("TensorBase.", "Tensor.", "_TensorBase.")):
        return f"Tensor.{name.rstrip('_')}"
    module = getattr(func, "__module__", None) or ""
    return _PREFIXES.get(module, "torch.") + name.removesuffix("_").lstrip("_")


class _Inside(TorchDispatchMode):  # type: ignore[misc]
    """Records what a function of several ops calls below, as the ops of PyTorch's core."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self.recorder = recorder

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        return self.recorder.called(func, args, kwargs or {}, core=True)
