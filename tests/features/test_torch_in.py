"""PyTorch modules as networks: what they cost, that they stay as they are, and what is refused."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mbprof
from mbprof.errors import ExchangeError
from mbprof.exchange.torch_in.views import Tape, Value, core
from tests.conftest import invoke, loaded, run

torch = pytest.importorskip("torch", reason="networks of PyTorch need the extra torch")
nn: Any = torch.nn
F: Any = torch.nn.functional


def costs(module: Any, example: Any) -> tuple[int, int]:
    """Return what is trained and multiplied, as mbprof says it."""
    total = mbprof.from_torch(module, example).profile("trainable").total
    return total.params, total.cost


def rows(module: Any, example: Any) -> dict[str, str]:
    """Return the rows of a module, as their names and ops."""
    network = mbprof.from_torch(module, example)
    return {row.name: row.op for row in network.profile().rows}


class Calls(torch.nn.Module):  # type: ignore[misc,name-defined]
    """A module that calls what a test says, with a layer of its own."""

    def __init__(self, call: Callable[..., Any], **layers: Any) -> None:
        super().__init__()
        self.call = call
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, *args: Any) -> Any:
        return self.call(self, *args)


def test_a_layer_is_a_row_with_what_follows_it() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten())
    assert rows(net, (3, 6, 6)) == {"0": "conv", "reshape": "reshape"}
    network = mbprof.from_torch(net, (3, 6, 6))
    assert network.profile("trainable").total[:2] == (3 * 8 * 9 + 16, 3 * 8 * 9 * 16)


def test_a_module_in_memory_stays_as_it_is() -> None:
    seen: list[object] = []
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5)).train()
    net.register_forward_hook(lambda *args: seen.append(args))
    net[0].register_forward_pre_hook(lambda *args: seen.append(args))
    before = copy.deepcopy(net.state_dict())
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in net.modules()]
    mbprof.from_torch(net, torch.zeros(5, 3, 8, 8))
    assert not seen
    assert net.training
    assert all(part.training for part in net.modules())
    assert hooks == [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in net.modules()]
    assert {p.device.type for p in net.parameters()} == {"cpu"}
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_one_image_of_a_batch_is_counted() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 5))
    assert costs(net, torch.zeros(7, 3, 2, 2)) == costs(net, (3, 2, 2)) == (65, 60)


def test_shared_weights_count_once() -> None:
    layer = nn.Linear(6, 6)
    assert costs(nn.Sequential(layer, nn.ReLU(), layer), torch.zeros(1, 6)) == (42, 72)
    tied = Calls(
        lambda m, x: m.b(m.a(x)), a=nn.Linear(6, 6, bias=False), b=nn.Linear(6, 6, bias=False)
    )
    tied.b.weight = tied.a.weight
    assert costs(tied, torch.zeros(1, 6)) == (36, 72)


def test_what_is_stored_and_never_read_counts() -> None:
    net = Calls(lambda m, x: m.a(x), a=nn.Linear(4, 2), aux=nn.Linear(4, 3))
    assert costs(net, torch.zeros(1, 4)) == (10 + 15, 8)


def test_attention_is_both_of_its_products() -> None:
    mha = nn.MultiheadAttention(16, 4, batch_first=True)
    net = Calls(lambda m, x: m.mha(x, x, x, need_weights=False)[0], mha=mha)
    macs = 4 * 10 * 16 * 16 + 2 * 10 * 10 * 16
    assert costs(net, torch.zeros(1, 10, 16)) == (4 * 16 * 17, macs)

    def windows(m: Any, x: Any) -> Any:
        q, k, v = (
            m.qkv(x.unflatten(1, (4, 9)).flatten(0, 1)).view(4, 9, 3, 2, 8).permute(2, 0, 3, 1, 4)
        )
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(1, 36, 16)

    net = Calls(windows, qkv=nn.Linear(16, 48))
    assert costs(net, torch.zeros(1, 36, 16)) == (17 * 48, 36 * 16 * 48 + 2 * 36 * 9 * 16)
    assert "sdpa" in rows(net, torch.zeros(1, 36, 16)).values()


FUNCTIONS: dict[str, tuple[Callable[..., Any], tuple[int, ...], int]] = {
    "matmul": (lambda m, x: x @ x.mT, (5, 7), 5 * 5 * 7),
    "einsum": (lambda m, x: torch.einsum("bhc,bwc->bhw", x, x), (5, 7), 5 * 5 * 7),
    "bmm": (lambda m, x: torch.bmm(x, x.transpose(1, 2)), (5, 7), 5 * 5 * 7),
    "roll": (lambda m, x: torch.roll(x, (1, 1), (2, 3)), (4, 6, 6), 0),
    "windows": (lambda m, x: x.view(1, 4, 2, 3, 2, 3).permute(0, 2, 4, 1, 3, 5), (4, 6, 6), 0),
    "interpolate": (lambda m, x: F.interpolate(x, scale_factor=2, mode="bilinear"), (4, 6, 6), 0),
    "pixels": (lambda m, x: F.pixel_unshuffle(F.pixel_shuffle(x, 2), 2), (4, 6, 6), 0),
    "chunk": (lambda m, x: torch.cat(x.chunk(2, 1)[::-1], 1), (4, 6, 6), 0),
    "stack": (lambda m, x: torch.stack([x, x], 1).sum(1), (4, 6, 6), 0),
    "item": (lambda m, x: x[:, 1:, ..., 0], (4, 6, 6), 0),
    "in place": (lambda m, x: x.clone().mul_(2).add_(x), (4, 6), 0),
    "group norm": (lambda m, x: F.group_norm(x, 2), (4, 6, 6), 0),
    "layer norm": (
        lambda m, x: F.layer_norm(x.permute(0, 2, 3, 1), (4,)).permute(0, 3, 1, 2), (4, 6, 6), 0,
    ),
    "adaptive": (lambda m, x: F.adaptive_avg_pool2d(x, 3), (4, 6, 6), 0),
    "reflect": (lambda m, x: F.pad(x, (1, 1, 1, 1), mode="reflect"), (4, 6, 6), 0),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_the_shape_that_pytorch_gives_it(name: str) -> None:
    call, shape, macs = FUNCTIONS[name]
    x = torch.zeros(1, *shape)
    network = mbprof.from_torch(Calls(call), x)
    assert network.output_shape == tuple(call(None, x).shape[1:])
    assert network.profile().total.cost == macs


def test_nothing_is_passed_over() -> None:
    network = mbprof.from_torch(Calls(lambda m, x: torch.fft.rfft(x).abs()), torch.zeros(1, 8))
    assert network.profile().missing == {"fft_rfft": 1}
    assert "incomplete" in str(network.profile().report().notes)


def test_a_permutation_that_is_undone_is_no_op() -> None:
    net = Calls(lambda m, x: x.permute(0, 2, 3, 1).permute(0, 3, 1, 2).relu())
    assert list(rows(net, (4, 5, 6)).values()) == ["act"]


def test_tokens_and_maps_are_named_as_such() -> None:
    net = Calls(lambda m, x: m.fc(x.flatten(2).transpose(1, 2)), fc=nn.Linear(4, 2))
    assert list(rows(net, (4, 5, 6)).values()) == ["tokens", "linear"]


def test_views_keep_the_order_of_axes() -> None:
    tape = Tape(mbprof_draft(), lambda word: word)
    value = tape.permute(Value((1, 2, 3, 4), "x"), (0, 3, 1, 2))
    assert (value.shape, value.seen, value.order) == ((1, 4, 2, 3), (2, 3, 4), (2, 0, 1))
    assert tape.permute(value, (0, 2, 3, 1)) == Value((1, 2, 3, 4), "x")
    assert core(tape.part(value, 1, 1, 3).shape) == (2, 2, 3)


def mbprof_draft() -> Any:
    from mbprof.exchange.draft import Draft

    draft = Draft("views", "a test")
    draft.image("x", (2, 3, 4))
    return draft


# What cannot be read.

FILE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
    def forward(self, x):
        return self.conv(x).mean((2, 3))

class Asks(Net):
    def forward(self, x):
        return x if x.sum() > 0 else self.conv(x)

class Fixed(Net):
    def forward(self, x):
        return self.conv(x).view(1, 4 * 222 * 222)

def raises():
    raise ValueError("no luck")

def leaves():
    raise SystemExit(3)

def needs(size):
    return Net()

def number():
    return 3

def small():
    return Net(), torch.zeros(4, 3, 8, 8)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "nets.py"
    path.write_text(FILE, encoding="utf-8")
    return path


def test_a_callable_of_a_file_is_a_network(file: Path) -> None:
    assert mbprof.load(f"{file}:small").build().profile().total[:2] == (108, 108 * 36)
    found = invoke("table", f"{file}:Net", "--res", "10x8", "--format", "json")
    assert '"macs": 5184' in found.out


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("raises", "cannot be built: ValueError: no luck"),
        ("leaves", "cannot be built: SystemExit: 3"),
        ("needs", "needs no arguments"),
        ("number", "returns int, which is no torch.nn.Module"),
        ("Asks", "values of a tensor"),
        ("Nett", "did you mean 'Net'?"),
    ],
)
def test_a_callable_that_is_no_network_is_one_error(file: Path, name: str, said: str) -> None:
    found = invoke("table", f"{file}:{name}")
    assert found.status == 2
    assert said in " ".join(found.err.split())
    assert "Traceback" not in found.err


def test_another_size_is_asked_for_where_it_does_not_fit(file: Path) -> None:
    assert invoke("table", f"{file}:Fixed").status == 0
    found = invoke("table", f"{file}:Fixed", "--res", "64")
    assert found.status == 2
    assert "--res" in found.err


def test_what_is_no_module_is_refused() -> None:
    with pytest.raises(ExchangeError, match=r"takes a torch\.nn\.Module, not str"):
        mbprof.from_torch("resnet18", (3, 8, 8))
    with pytest.raises(ExchangeError, match="does not run"):
        mbprof.from_torch(nn.Linear(3, 4), (3, 8, 8))


def test_importing_mbprof_imports_no_framework() -> None:
    assert not loaded("import mbprof") & {"torch", "keras", "onnx"}


def test_counters_are_set_beside_what_reproduces_them(file: Path) -> None:
    out = run("explain", f"{file}:small", "--run", "--format", "json")
    printed = json.loads(out)["conventions"]["torch"]
    assert printed["printed"] == {"params": 112, "cost": 2 * 108 * 36, "why": ""}
    assert printed["value"] == 2 * 108 * 36
    assert "no live module" in invoke("explain", "mobilenet_v1", "--run").err


def test_a_counter_is_known_by_who_brings_its_module(monkeypatch: pytest.MonkeyPatch) -> None:
    from mbprof.exchange.torch_in import counters

    monkeypatch.setattr("importlib.util.find_spec", lambda name: name == "thop" or None)
    for brought in ("thop", "ultralytics-thop"):
        monkeypatch.setattr(counters, "packages_distributions", lambda d=brought: {"thop": [d]})
        there = [name for name, counter in counters.COUNTERS.items() if counter.there]
        assert there == [brought]


def test_a_spec_with_a_wrong_width_is_told_from_the_module(file: Path) -> None:
    spec = file.with_name("mine.yaml")
    rows = "[{op: conv, k: 3, c: 5, p: valid, bias: true}, {op: gap}]"
    spec.write_text(f"{{name: mine, input: {{res: 8}}, body: {rows}}}", encoding="utf-8")
    said = " ".join(run("diff", str(spec), f"{file}:small").replace("\\", "").split())
    assert "First difference: conv_1 → conv changed (output 5×6×6 → 4×6×6), −27 params" in said
