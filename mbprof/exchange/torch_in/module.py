"""Networks of PyTorch: a module in memory, a name of timm or torchvision, or a user's callable.

Weights are made on the meta device, without values, and nothing is downloaded. The module then runs
once on tensors without data, and `Recorder` writes down what it calls.
"""

from __future__ import annotations

import contextlib
import copy
import importlib
import importlib.util
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from mbprof.errors import ExchangeError, MbprofError, Source, nearest
from mbprof.exchange.draft import Draft
from mbprof.exchange.keras_in.module import drafted, is_model
from mbprof.exchange.torch_in import functions as torch_functions  # noqa: F401 - they fill RULES
from mbprof.exchange.torch_in import layers as torch_layers  # noqa: F401 - they fill RULES
from mbprof.exchange.torch_in import moves as torch_moves  # noqa: F401 - they fill RULES
from mbprof.exchange.torch_in import products as torch_products  # noqa: F401 - they fill RULES
from mbprof.exchange.torch_in import volumes as torch_volumes  # noqa: F401 - they fill RULES
from mbprof.exchange.torch_in.record import Recorder, tensors
from mbprof.exchange.torch_in.rules import HEAVY, RULES, WITHIN
from mbprof.exchange.torch_in.views import plain
from mbprof.spec import foreign
from mbprof.spec.knobs import Given

Shape = tuple[int, ...]
_USUAL = (3, 224, 224)
"""The image that a network takes of which nothing is known."""


def spec_of(module: Any, example: Any, name: str) -> Source:
    """Return the flat spec of a module; see `from_torch`."""
    return Source(name, _draft(module, example, name, name).text())


def read(text: str, given: Given) -> Source:
    """Return the flat spec of a network that an address such as ``timm:resnet50`` names.

    Raises: ExchangeError: there is no such network, or it cannot be built or run.
    """
    asked = foreign.asked(given, "res"), foreign.asked(given, "channels")
    return _read(text, *asked)


@lru_cache(maxsize=16)
def _read(text: str, res: str | None, channels: str | None) -> Source:
    module, example, name = built(text)
    if is_model(module):
        return Source(text, drafted(module, name, text, example).text())
    return Source(text, _draft(module, turned(example, res, channels), name, text).text())


def turned(example: Any, res: str | None, channels: str | None) -> Any:
    """Return the example with the resolution and the channels that are asked for."""
    if isinstance(example, torch.Tensor) and example.dim() == 4:
        example = tuple(example.shape[1:])
    if not _is_shape(example) or len(example) != 3:
        return example
    c = int(channels) if channels and channels.isdecimal() else example[0]
    return (c, *(_sides(res or "") or example[1:]))


def _is_shape(example: Any) -> bool:
    listed = isinstance(example, tuple | list) and bool(example)
    return listed and all(isinstance(n, int) for n in example)


def _sides(res: str) -> Shape:
    """Return height and width of a resolution as it is typed."""
    sides = tuple(int(side) for side in re.split("[x,×]", res) if side.isdecimal())
    return sides * 2 if len(sides) == 1 else sides[:2]


def built(text: str, values: bool = False) -> tuple[Any, Any, str]:
    """Build the module that an address names; with its example and its name.

    Its weights have no values unless they are asked for.
    Raises: ExchangeError: there is none, or it cannot be built.
    """
    if values:
        return _built(text)
    with _quiet():
        try:
            with _WeightsOnMeta():
                return _built(text)
        except ExchangeError as error:
            # A constructor that runs a part of the network mixes constants with such weights.
            if "meta" not in error.message:
                raise
        with torch.device("meta"):
            return _built(text)


def _built(text: str) -> tuple[Any, Any, str]:
    prefix, _, name = text.partition(":")
    if prefix in _ZOOS:
        return *_ZOOS[prefix](name), name.partition(".")[0]
    return *_called(text), text.rpartition(":")[2]


def _timm(name: str) -> tuple[Any, Shape]:
    timm = library("timm")
    if not timm.is_model(name.partition(".")[0]):
        known = timm.list_models()
        raise ExchangeError(f"timm has no model {name!r}", hint=nearest(name, known))
    module = _made(f"timm:{name}", lambda: timm.create_model(name, pretrained=False))
    cfg = getattr(module, "pretrained_cfg", None) or {}
    return module, tuple(cfg.get("input_size") or _USUAL)


def _torchvision(name: str) -> tuple[Any, Any]:
    models = library("torchvision").models
    if name not in models.list_models():
        hint = nearest(name, models.list_models())
        raise ExchangeError(f"torchvision has no model {name!r}", hint=hint)
    backbone = (
        {"weights_backbone": None} if "/" not in name and _takes_backbone(models, name) else {}
    )
    module = _made(f"torchvision:{name}", lambda: models.get_model(name, weights=None, **backbone))
    weights = getattr(models.get_model_weights(name), "DEFAULT", None)
    usual = getattr(getattr(weights, "transforms", None), "keywords", {}).get("crop_size", 224)
    size = getattr(module, "image_size", usual)
    kind = type(module).__module__.split(".")[2]
    if kind == "video":
        high, wide = usual if isinstance(usual, tuple | list) else (usual, usual)
        return module, (torch.empty((1, 3, _FRAMES, high, wide), device="meta"),)
    if kind == "optical_flow":
        return module, (torch.empty((1, 3, *_FLOW), device="meta"),) * 2
    return module, (3, size, size)


_FRAMES = 16
"""Frames of a clip. Source: torchvision/models/video/mvit.py and swin_transformer.py."""
_FLOW = 520, 960
"""Height and width of both images. Source: docs of torchvision, the example of optical flow."""


def _takes_backbone(models: Any, name: str) -> bool:
    import inspect

    return "weights_backbone" in inspect.signature(models.get_model_builder(name)).parameters


_ZOOS: dict[str, Callable[[str], tuple[Any, Any]]] = {"timm": _timm, "torchvision": _torchvision}


def _called(text: str) -> tuple[Any, Any]:
    """Call what the user names: ``package.module:callable`` or ``file.py:callable``."""
    where, _, name = text.rpartition(":")
    module = _imported(where, text)
    target: Any = module
    for part in name.split("."):
        if not hasattr(target, part):
            known = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
            raise ExchangeError(f"{where} has no {name!r}", hint=nearest(name, known))
        target = getattr(target, part)
    if not callable(target):
        raise ExchangeError(f"{text} cannot be called", hint="name a class or a function")
    made = target if isinstance(target, torch.nn.Module) else _made(text, target)
    example: Any = None
    pair = isinstance(made, tuple) and len(made) == 2
    if pair and (is_model(made[0]) or isinstance(made[0], torch.nn.Module)):
        made, example = made
    if is_model(made):
        return made, example
    if not isinstance(made, torch.nn.Module):
        kind = type(made).__name__
        message = f"{text} returns {kind}, which is no torch.nn.Module"
        raise ExchangeError(message, hint="return a module, or a module and its example input")
    if example is None:
        cfg = getattr(made, "pretrained_cfg", None) or getattr(made, "default_cfg", None) or {}
        example = tuple(cfg.get("input_size") or _USUAL) if isinstance(cfg, Mapping) else _USUAL
    return made, example


def _imported(where: str, text: str) -> ModuleType:
    """Import the module that a user names, from the folder of the call as Python itself does."""
    path = Path(where)
    try:
        if path.suffix == ".py":
            spec = importlib.util.spec_from_file_location(path.stem, path)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            with _first_on_path(path.resolve().parent):
                spec.loader.exec_module(module)
            return module
        with _first_on_path(Path.cwd()):
            return _tolerant(where)
    except MbprofError:
        raise
    except (Exception, SystemExit) as error:
        raise ExchangeError(f"{text}: importing {where} fails: {_said(error)}") from None


@contextlib.contextmanager
def _first_on_path(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(str(folder))


def _made(text: str, make: Callable[[], Any]) -> Any:
    try:
        return make()
    except (Exception, SystemExit) as error:
        hint = None
        if isinstance(error, TypeError) and "argument" in str(error):
            hint = "name a callable that needs no arguments, such as a function of your own"
        raise ExchangeError(f"{text} cannot be built: {_said(error)}", hint=hint) from None


def _said(error: BaseException) -> str:
    """Return what an exception says, in a line."""
    text = next((line for line in str(error).strip().splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__


def library(name: str) -> ModuleType:
    """Import timm or torchvision.

    Raises: ExchangeError: it is not installed.
    """
    try:
        return _tolerant(name)
    except ImportError:
        message = f"{name}: names need the library {name}"
        raise ExchangeError(message, hint=f"pip install {name}") from None


def _tolerant(name: str) -> ModuleType:
    """Import a module; compiled ops of torchvision that are not there are done without.

    A torchvision that was built for another PyTorch cannot load its compiled part, and then fails
    to declare shapes for ops such as nms that no classifier calls. Only that error is passed over,
    and only while a library is imported that the user asked for.
    """
    try:
        return importlib.import_module(name)
    except RuntimeError as error:
        if "operator torchvision::" not in str(error):
            raise
    tops = {"torchvision", "timm", name.partition(".")[0]}
    for loaded in [module for module in sys.modules if module.partition(".")[0] in tops]:
        del sys.modules[loaded]
    register = torch.library.register_fake

    def unless_missing(op: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(op, str) and op.startswith("torchvision::"):
            return lambda function: function
        return register(op, *args, **kwargs)

    torch.library.register_fake = unless_missing
    try:
        return importlib.import_module(name)
    finally:
        torch.library.register_fake = register


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep a report clean of what other libraries print and warn."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
        warnings.simplefilter("ignore")
        yield


_FILLS = frozenset(
    ("normal_", "uniform_", "erfinv_", "mul_", "add_", "div_", "clamp_", "fill_", "zero_", "copy_")
)
"""Calls that write values, which weights without memory have no place for."""


class _WeightsOnMeta(TorchFunctionMode):  # type: ignore[misc]
    """Makes weights without memory: layers make theirs by torch.empty, constants by other calls."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is torch.empty and kwargs.get("device") is None:
            kwargs = {**kwargs, "device": "meta"}
        if args and getattr(func, "__name__", "") in _FILLS and args[0].is_meta:
            return args[0]
        return func(*args, **kwargs)


class _CopyOnMeta(TorchFunctionMode):  # type: ignore[misc]
    """Copies tensors without their values."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if getattr(func, "__name__", "") == "__deepcopy__":
            tensor, memo = args
            return memo.setdefault(id(tensor), torch.empty_like(tensor, device="meta"))
        return func(*args, **(kwargs or {}))


def on_meta(module: Any) -> Any:
    """Return a copy of a module without values and without the user's hooks, for inference."""
    memo: dict[int, Any] = {}
    for parameter in module.parameters():
        if id(parameter) not in memo:
            empty = torch.empty_like(parameter, device="meta")
            memo[id(parameter)] = torch.nn.Parameter(empty, parameter.requires_grad)
    for buffer in module.buffers():
        memo.setdefault(id(buffer), torch.empty_like(buffer, device="meta"))
    with _CopyOnMeta():
        made = copy.deepcopy(module, memo)
    for part in made.modules():
        part._forward_hooks.clear()
        hooks = part._forward_pre_hooks
        for key, hook in list(hooks.items()):
            if not type(hook).__module__.startswith("torch."):  # such as a spectral norm
                del hooks[key]
    return made.eval()


def _draft(module: Any, example: Any, name: str, source: str) -> Draft:
    """Record a module as it runs on an example."""
    for inner in ("_orig_mod", "module"):  # of torch.compile and of DataParallel
        if type(module).__name__ in ("OptimizedModule", "DataParallel", "DistributedDataParallel"):
            module = getattr(module, inner, module)
    if not isinstance(module, torch.nn.Module):
        kind = type(module).__name__
        raise ExchangeError(f"from_torch takes a torch.nn.Module, not {kind}")
    draft = Draft(name, source)
    with _quiet(), torch.no_grad():
        try:
            copied = on_meta(module)
        except Exception as error:
            message = f"{source}: the module cannot be copied: {_said(error)}"
            raise ExchangeError(message) from None
        args, kwargs = _inputs(example)
        for number, tensor in enumerate(tensors((args, kwargs)), 1):
            draft.image(f"x{number}", plain(tuple(tensor.shape)))
        recorder = Recorder(draft, copied, RULES, HEAVY, WITHIN)
        recorder.images(tensors((args, kwargs)))
        try:
            with recorder:
                results = copied(*args, **kwargs)
            recorder.finish(results)
        except MbprofError:
            raise
        except (Exception, SystemExit) as error:
            message = f"{source}: {recorder.where()} does not run: {_said(error)}"
            raise ExchangeError(message, hint=_hint(error, source)) from None
    return draft


def _hint(error: BaseException, source: str) -> str:
    text = str(error)
    if "meta tensor" in text or "item()" in text or "meta" in text:
        return "it asks for values of a tensor; a network is read from shapes alone"
    return (
        "--res H or HxW gives the image another size" if ":" in source else "give another example"
    )


def _inputs(example: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of a call, as tensors without values and with one image."""
    if _is_shape(example):
        return (torch.empty((1, *example), device="meta"),), {}
    firsts = {t.shape[0] for t in tensors(example) if t.dim() > 1}
    single = len(firsts) == 1

    def without(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            shape = tuple(value.shape)
            shape = (1, *shape[1:]) if single and len(shape) > 1 else shape
            return torch.empty(shape, dtype=value.dtype, device="meta")
        if isinstance(value, Mapping):
            return {key: without(item) for key, item in value.items()}
        if isinstance(value, tuple | list):
            return type(value)(map(without, value))
        return value

    if isinstance(example, Mapping):
        return (), {str(key): without(value) for key, value in example.items()}
    return tuple(map(without, example if isinstance(example, tuple) else (example,))), {}
