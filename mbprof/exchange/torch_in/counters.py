"""What installed counters print of a live module of PyTorch, each run in a process of its own.

They are no dependencies: what is there when it is asked for is run.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import packages_distributions
from typing import Any

from mbprof.errors import UsageError
from mbprof.language.record import NamedTuple
from mbprof.spec import foreign
from mbprof.spec.knobs import Given

LIMIT = 120.0
"""Seconds that a counter may take."""


class Printed(NamedTuple):
    """What a counter says of a network, or why it says nothing."""

    params: int | None = None
    cost: int | None = None
    why: str = ""


Count = Callable[[Any, Any], tuple[int, int]]


def _params(module: Any) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _torch(module: Any, image: Any) -> tuple[int, int]:
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        module(image)
    return _params(module), counter.get_total_flops()


def _fvcore(module: Any, image: Any) -> tuple[int, int]:
    found = (
        import_module("fvcore.nn").FlopCountAnalysis(module, image).unsupported_ops_warnings(False)
    )
    return _params(module), int(found.uncalled_modules_warnings(False).total())


def _ptflops(module: Any, image: Any, backend: str = "pytorch") -> tuple[int, int]:
    macs, params = import_module("ptflops").get_model_complexity_info(
        module,
        tuple(image.shape[1:]),
        as_strings=False,
        print_per_layer_stat=False,
        backend=backend,
    )
    return int(params), int(macs)


def _ptflops_aten(module: Any, image: Any) -> tuple[int, int]:
    return _ptflops(module, image, "aten")


def _thop(module: Any, image: Any) -> tuple[int, int]:
    macs, params = import_module("thop").profile(module, inputs=(image,), verbose=False)
    return int(params), int(macs)


def _torchinfo(module: Any, image: Any) -> tuple[int, int]:
    found = import_module("torchinfo").summary(module, input_data=image, verbose=0)
    return int(found.total_params), int(found.total_mult_adds)


def _calflops(module: Any, image: Any) -> tuple[int, int]:
    flops, _, params = import_module("calflops").calculate_flops(
        model=module,
        input_shape=tuple(image.shape),
        print_results=False,
        print_detailed=False,
        output_as_string=False,
    )
    return int(params), int(flops)


class Counter(NamedTuple):
    """A counter: its module, how it is asked, and who brings that module, unless called as it."""

    module: str
    ask: Count
    distribution: str = ""

    @property
    def there(self) -> bool:
        """Whether it is installed; another distribution may bring a module of that name."""
        if importlib.util.find_spec(self.module) is None:
            return False
        brought = packages_distributions().get(self.module) or [self.module]
        return brought[-1] == (self.distribution or self.module)


COUNTERS: Mapping[str, Counter] = {
    "torch": Counter("torch", _torch),
    "fvcore": Counter("fvcore", _fvcore),
    "ptflops": Counter("ptflops", _ptflops),
    "ptflops-aten": Counter("ptflops", _ptflops_aten),
    "thop": Counter("thop", _thop),
    "ultralytics-thop": Counter("thop", _thop, "ultralytics-thop"),
    "torchinfo": Counter("torchinfo", _torchinfo),
    "calflops": Counter("calflops", _calflops),
}
"""By the name of the convention that reproduces it."""


def printed(address: str, given: Given) -> dict[str, Printed]:
    """Run the installed counters on the module that an address names, such as ``timm:resnet18``.

    A counter that fails or takes too long says why, and the others go on.
    Raises: UsageError: the address names no module of PyTorch. ExchangeError: there is no PyTorch.
    """
    if not foreign.live(address):
        hint = "such as timm:NAME, torchvision:NAME or file.py:callable"
        raise UsageError(f"{address} is no live module that counters could run on", hint=hint)
    res, channels = foreign.asked(given, "res"), foreign.asked(given, "channels")
    there = [name for name, counter in COUNTERS.items() if counter.there]
    return {name: _asked(name, address, res, channels) for name in there}


def _asked(name: str, address: str, res: str | None, channels: str | None) -> Printed:
    said = json.dumps([name, address, res, channels])
    command = [sys.executable, "-m", "mbprof.exchange.torch_in.counters", said]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
    except subprocess.TimeoutExpired:
        return Printed(why=f"took more than {LIMIT:.0f} seconds")
    last = (done.stdout.strip().splitlines() or [""])[-1]
    if done.returncode == 0 and last.startswith("["):
        params, cost = json.loads(last)
        return Printed(params, cost)
    lines = done.stderr.strip().splitlines()
    return Printed(why=lines[-1][:200] if lines else f"ended with {done.returncode}")


def main(said: str) -> None:
    """Print params and cost of one counter; what the counter itself prints comes before."""
    name, address, res, channels = json.loads(said)
    import torch

    from mbprof.exchange.torch_in import module as torch_in

    module, example, _ = torch_in.built(address, values=True)
    shape = torch_in.turned(example, res, channels)
    with torch.no_grad():
        image = torch.zeros((1, *shape)) if isinstance(shape, tuple) else shape
        params, cost = COUNTERS[name].ask(module.eval(), image)
    print(json.dumps([params, cost]))


if __name__ == "__main__":
    main(sys.argv[1])
