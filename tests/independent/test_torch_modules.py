"""Modules of PyTorch as people write them, counted by PyTorch itself: `FlopCounterMode`, numel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import mbprof

torch = pytest.importorskip("torch", reason="networks of PyTorch need the extra torch")
nn: Any = torch.nn
F: Any = torch.nn.functional
MODULES: dict[str, Callable[[], tuple[Any, Any]]] = {}


def module(make: Callable[[], tuple[Any, Any]]) -> Callable[[], tuple[Any, Any]]:
    """Register a module with its example."""
    MODULES[make.__name__] = make
    return make


class Calls(nn.Module):  # type: ignore[misc]
    """A module that calls what it is given, with layers of its own."""

    def __init__(self, call: Callable[..., Any], **layers: Any) -> None:
        super().__init__()
        self.call = call
        for name, layer in layers.items():
            if isinstance(layer, nn.Parameter) or not isinstance(layer, torch.Tensor):
                setattr(self, name, layer)
            else:
                self.register_buffer(name, layer)

    def forward(self, *args: Any, **named: Any) -> Any:
        return self.call(self, *args, **named)


def image(*shape: int) -> Any:
    return torch.zeros(1, *shape)


@module
def functional_calls() -> Any:
    def call(m: Any, x: Any) -> Any:
        x = F.leaky_relu(F.batch_norm(F.conv2d(x, m.w, m.b, padding=1), m.mean, m.var), 0.2)
        return F.linear(F.adaptive_avg_pool2d(x, 1).flatten(1), m.fc)

    own = {"w": torch.zeros(8, 3, 3, 3), "b": torch.zeros(8), "fc": torch.zeros(5, 8)}
    layers = {name: nn.Parameter(value) for name, value in own.items()}
    return Calls(call, mean=torch.zeros(8), var=torch.ones(8), **layers), image(3, 12, 12)


@module
def shared_layers() -> Any:
    def call(m: Any, x: Any) -> Any:
        x = m.stem(x)
        for _ in range(3):
            x = x + m.block(x)
        return m.head(x.mean((2, 3)))

    block = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.SiLU())
    stem = nn.Conv2d(3, 8, 3, stride=2)
    return Calls(call, stem=stem, block=block, head=nn.Linear(8, 4)), image(3, 17, 17)


@module
def dict_outputs() -> Any:
    def call(m: Any, x: Any) -> Any:
        x = m.body(x)
        return {"out": F.interpolate(m.a(x), size=(32, 32), mode="bilinear"), "aux": [m.b(x)]}

    layers = {"body": nn.Conv2d(3, 8, 3), "a": nn.Conv2d(8, 5, 1), "b": nn.Conv2d(8, 2, 1)}
    return Calls(call, **layers), image(3, 16, 16)


@module
def loops_and_conditions_on_shapes() -> Any:
    def call(m: Any, x: Any) -> Any:
        while x.shape[-1] > 4:
            if x.shape[-1] % 2:
                x = F.pad(x, (0, 1, 0, 1))
            x = F.max_pool2d(m.conv(x).relu(), 2)
        return x.flatten(1)

    return Calls(call, conv=nn.Conv2d(3, 3, 3, padding=1)), image(3, 29, 29)


@module
def weight_norms() -> Any:
    from torch.nn.utils import parametrizations, weight_norm

    old = weight_norm(nn.Conv2d(3, 6, 3))
    new = parametrizations.weight_norm(nn.Linear(6, 4))
    return Calls(lambda m, x: m.new(m.old(x).mean((2, 3))), old=old, new=new), image(3, 8, 8)


@module
def spectral_norms() -> Any:
    from torch.nn.utils import parametrizations, spectral_norm

    old = spectral_norm(nn.Conv2d(3, 6, 3))
    new = parametrizations.spectral_norm(nn.Conv2d(6, 4, 3))
    return Calls(lambda m, x: m.new(m.old(x)), old=old, new=new), image(3, 8, 8)


@module
def transposed_convolutions() -> Any:
    layers = [nn.ConvTranspose2d(4, 8, 4, stride=2, padding=1), nn.ReLU(),
              nn.ConvTranspose2d(8, 6, 3, stride=2, padding=1, output_padding=1, groups=2),
              nn.Conv2d(6, 3, 1)]  # fmt: skip
    return nn.Sequential(*layers), image(4, 7, 9)


@module
def convolutions_of_sequences() -> Any:
    layers = [nn.Conv1d(2, 8, 5, stride=2, padding=2), nn.BatchNorm1d(8), nn.ReLU(),
              nn.MaxPool1d(2), nn.Conv1d(8, 8, 3, groups=8, padding="same"), nn.Conv1d(8, 4, 1),
              nn.ConvTranspose1d(4, 2, 4, stride=2), nn.AdaptiveAvgPool1d(1)]  # fmt: skip
    return nn.Sequential(*layers), image(2, 100)


@module
def pooled_to_a_grid() -> Any:
    layers = [
        nn.Conv2d(3, 8, 3, padding=1),
        nn.AdaptiveMaxPool2d((8, 4)),
        nn.Flatten(),
        nn.Linear(256, 5),
    ]
    return nn.Sequential(*layers), image(3, 32, 16)


@module
def convolutions_of_volumes() -> Any:
    layers = [nn.Conv3d(1, 4, 3, padding=1, stride=(1, 2, 2)), nn.BatchNorm3d(4), nn.ReLU(),
              nn.MaxPool3d(2), nn.Conv3d(4, 6, (3, 1, 1), dilation=(2, 1, 1)),
              nn.Conv3d(6, 6, 3, padding="same", groups=6), nn.AdaptiveAvgPool3d(1), nn.Flatten(),
              nn.Linear(6, 2)]  # fmt: skip
    return nn.Sequential(*layers), image(1, 12, 16, 16)


@module
def lstm_head() -> Any:
    def call(m: Any, x: Any) -> Any:
        x = m.conv(x).relu().flatten(2).transpose(1, 2)
        states, (last, _) = m.lstm(x)
        return m.fc(states[:, -1]) + m.ends(last[-1])

    lstm = nn.LSTM(8, 10, num_layers=2, bidirectional=True, batch_first=True)
    layers = {"lstm": lstm, "fc": nn.Linear(20, 5), "ends": nn.Linear(10, 5)}
    return Calls(call, conv=nn.Conv2d(3, 8, 3), **layers), image(3, 8, 8)


@module
def gru_over_frames() -> Any:
    def call(m: Any, x: Any) -> Any:
        frames = m.conv(x.flatten(0, 1)).mean((2, 3)).unflatten(0, x.shape[:2])
        return m.fc(m.gru(frames.transpose(0, 1))[1][-1])

    layers = {"conv": nn.Conv2d(3, 6, 3), "gru": nn.GRU(6, 7, bias=False), "fc": nn.Linear(7, 2)}
    return Calls(call, **layers), image(5, 3, 8, 8)


@module
def rnn_with_projection_and_cells() -> Any:
    def call(m: Any, x: Any) -> Any:
        x, _ = m.lstm(m.rnn(x)[0])
        state = x.new_zeros(x.shape[0], 4)
        for step in range(x.shape[1]):
            state = m.cell(x[:, step], state)
        return state

    layers = {"rnn": nn.RNN(6, 5, nonlinearity="relu", batch_first=True)}
    layers |= {"lstm": nn.LSTM(5, 8, proj_size=3, batch_first=True), "cell": nn.GRUCell(3, 4)}
    return Calls(call, **layers), image(9, 6)


@module
def einsum_attention() -> Any:
    def call(m: Any, x: Any) -> Any:
        q, k, v = m.qkv(x).reshape(1, 10, 3, 2, 6).unbind(2)
        scores = torch.einsum("bihd,bjhd->bhij", q, k) * 6**-0.5
        mixed = torch.einsum("bhij,bjhd->bihd", scores.softmax(-1), v)
        return m.out(mixed.reshape(1, 10, 12))

    return Calls(call, qkv=nn.Linear(12, 36), out=nn.Linear(12, 12)), image(10, 12)


@module
def einsum_with_ellipsis_and_three_operands() -> Any:
    def call(m: Any, x: Any) -> Any:
        y = torch.einsum("...nc,cd->...nd", x, m.w)
        return torch.einsum("bhnd,de,bhme->bhnm", y, m.v, y)

    own = {"w": nn.Parameter(torch.zeros(6, 8)), "v": nn.Parameter(torch.zeros(8, 8))}
    return Calls(call, **own), image(2, 5, 6)


@module
def multihead_attention_with_mask() -> Any:
    def call(m: Any, x: Any) -> Any:
        return m.mha(x, x, x, attn_mask=m.mask, need_weights=True)[0]

    mask = torch.triu(torch.ones(7, 7, dtype=torch.bool), 1)
    return Calls(call, mha=nn.MultiheadAttention(8, 2, batch_first=True), mask=mask), image(7, 8)


@module
def transformer() -> Any:
    net = nn.Transformer(16, 4, 1, 1, 32, batch_first=True)
    return Calls(lambda m, x, y: m.net(x, y), net=net), (image(6, 16), image(4, 16))


@module
def transformer_encoder() -> Any:
    layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True, norm_first=True)
    return nn.TransformerEncoder(layer, 2), image(6, 16)


@module
def buffers_and_positions() -> Any:
    def call(m: Any, x: Any) -> Any:
        x = m.embed((x - m.mean) / m.std).flatten(2).transpose(1, 2)
        x = torch.cat([m.token.expand(x.shape[0], -1, -1), x], 1) + m.positions
        return m.head(m.norm(x)[:, 0])

    own = {"token": nn.Parameter(torch.zeros(1, 1, 8)), "positions": torch.zeros(1, 17, 8)}
    own |= {"mean": torch.zeros(3, 1, 1), "std": torch.ones(3, 1, 1)}
    layers = {"embed": nn.Conv2d(3, 8, 4, 4), "norm": nn.LayerNorm(8), "head": nn.Linear(8, 2)}
    return Calls(call, **own, **layers), image(3, 16, 16)


@module
def checkpoints() -> Any:
    from torch.utils.checkpoint import checkpoint

    def call(m: Any, x: Any) -> Any:
        return checkpoint(m.b, checkpoint(m.a, x, use_reentrant=False), use_reentrant=False)

    return Calls(call, a=nn.Conv2d(3, 8, 3), b=nn.Conv2d(8, 4, 3)), image(3, 9, 9)


@module
def module_lists() -> Any:
    def call(m: Any, x: Any) -> Any:
        outs = []
        for down, skip in zip(m.downs, m.skips.values(), strict=True):
            x = down(x)
            outs.append(skip(x))
        total = outs[-1]
        for out in outs[-2::-1]:
            total = out + F.interpolate(total, scale_factor=2, mode="nearest")
        return total

    downs = nn.ModuleList([nn.Conv2d(c, 8, 3, 2, 1) for c in (3, 8, 8)])
    skips = nn.ModuleDict({f"s{n}": nn.Conv2d(8, 4, 1) for n in range(3)})
    return Calls(call, downs=downs, skips=skips), image(3, 32, 32)


@module
def mixture_of_experts() -> Any:
    def call(m: Any, x: Any) -> Any:
        weights, chosen = m.router(x).softmax(-1).topk(2, -1)
        every = torch.stack([expert(x) for expert in m.experts], 1)
        taken = every.gather(1, chosen.unsqueeze(-1).expand(-1, -1, 6))
        return (taken * weights.unsqueeze(-1)).sum(1)

    experts = nn.ModuleList([nn.Linear(6, 6) for _ in range(4)])
    return Calls(call, router=nn.Linear(6, 4), experts=experts), image(6)


@module
def routing_without_the_scores() -> Any:
    """What only decides where values are taken from is computed all the same."""

    def call(m: Any, x: Any) -> Any:
        order = m.score(x).squeeze(-1).argsort(1)
        return m.fc(x[torch.arange(1).unsqueeze(1), order[:, :4]])

    return Calls(call, score=nn.Linear(6, 1), fc=nn.Linear(6, 3)), image(9, 6)


@module
def sampling() -> Any:
    def call(m: Any, x: Any) -> Any:
        theta = m.loc(x.mean((2, 3))).view(-1, 2, 3)
        grid = F.affine_grid(theta, (1, 3, 10, 10), align_corners=False)
        x = F.grid_sample(x, grid, align_corners=False)
        return m.conv(F.interpolate(x, scale_factor=2, mode="bicubic"))

    return Calls(call, loc=nn.Linear(3, 6), conv=nn.Conv2d(3, 4, 3)), image(3, 12, 12)


@module
def gates_and_norms() -> Any:
    def call(m: Any, x: Any) -> Any:
        x = F.glu(m.wide(x), 1)
        x = x * torch.rsqrt(x.pow(2).mean(1, keepdim=True) + 1e-6) * m.scale
        x = x * torch.tanh(F.softplus(x)) + torch.where(x > 0, x, x.exp() - 1)
        gx = torch.norm(x, p=2, dim=(2, 3), keepdim=True)
        return m.gamma * (x * (gx / (gx.mean(1, keepdim=True) + 1e-6))) + x.clamp(-1, 1)

    own = {"scale": torch.ones(1, 4, 1, 1), "gamma": torch.zeros(1, 4, 1, 1)}
    layers = {name: nn.Parameter(value) for name, value in own.items()}
    return Calls(call, wide=nn.Conv2d(3, 8, 1), **layers), image(3, 6, 6)


@module
def linear_attention() -> Any:
    def call(m: Any, x: Any) -> Any:
        q, k, v = m.qkv(x).chunk(3, -1)
        q, k = F.elu(q) + 1, F.elu(k) + 1
        z = 1 / (q @ k.sum(1).unsqueeze(-1) + 1e-6)
        return m.out(q @ (k.transpose(1, 2) @ v) * z)

    return Calls(call, qkv=nn.Linear(8, 24), out=nn.Linear(8, 8)), image(10, 8)


@module
def patches() -> Any:
    def call(m: Any, x: Any) -> Any:
        x = F.unfold(x, 4, stride=4).transpose(1, 2)
        x = m.fc(x).transpose(1, 2)
        return F.fold(x, (16, 16), 4, stride=4)

    return Calls(call, fc=nn.Linear(48, 48)), image(3, 16, 16)


@module
def adaptive_kernels() -> Any:
    """Weights that the image decides, as a dynamic convolution has them."""

    def call(m: Any, x: Any) -> Any:
        attention = m.fc(x.mean((2, 3))).softmax(1)
        weight = (attention.view(-1, 1, 1, 1, 1) * m.bank).sum(0)
        return F.conv2d(x, weight, padding=1)

    bank = nn.Parameter(torch.zeros(4, 6, 3, 3, 3))
    return Calls(call, fc=nn.Linear(3, 4), bank=bank), image(3, 8, 8)


@module
def lazy_layers() -> Any:
    net = nn.Sequential(nn.LazyConv2d(6, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(3))
    net(image(3, 8, 8))
    return net, image(3, 8, 8)


@module
def embeddings() -> Any:
    def call(m: Any, tokens: Any) -> Any:
        x = m.table(tokens) + m.place(torch.arange(tokens.shape[1], device=tokens.device))
        return F.linear(m.norm(x), m.table.weight)

    layers = {"table": nn.Embedding(30, 8), "place": nn.Embedding(12, 8), "norm": nn.LayerNorm(8)}
    return Calls(call, **layers), torch.zeros(1, 12, dtype=torch.long)


@module
def video_transformer() -> Any:
    def call(m: Any, x: Any) -> Any:
        x = m.tubes(x).flatten(2).transpose(1, 2)
        return m.block(x).mean(1)

    block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    return Calls(call, tubes=nn.Conv3d(3, 8, (2, 4, 4), (2, 4, 4)), block=block), image(3, 4, 8, 8)


@module
def batch_norm_without_statistics() -> Any:
    norms = [nn.BatchNorm2d(4, track_running_stats=False), nn.InstanceNorm2d(4), nn.GroupNorm(2, 4)]
    return nn.Sequential(nn.Conv2d(3, 4, 3), *norms, nn.PReLU(4)), image(3, 8, 8)


UNSEEN = {"sampling": 10 * 10 * 3 * 2}
"""Products that PyTorch's counter does not see: of the positions of pixels with a matrix."""


@pytest.mark.filterwarnings("ignore")  # of what PyTorch would rather have one write
@pytest.mark.parametrize("name", MODULES)
def test_a_module_costs_what_pytorch_counts(name: str) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    net, example = MODULES[name]()
    net.eval()
    total = mbprof.from_torch(net, example).profile("trainable")
    assert not total.missing
    # On the meta device no op takes a short cut of several ops, which the counter would not see.
    counter, attention = FlopCounterMode(display=False), torch.backends.mha
    attention.set_fastpath_enabled(False)
    images = [x.to("meta") for x in (example if isinstance(example, tuple) else (example,))]
    with torch.no_grad(), torch.device("meta"), counter:
        net.to("meta")(*images)
    attention.set_fastpath_enabled(True)
    params = sum(p.numel() for p in net.parameters())
    macs = counter.get_total_flops() // 2 + UNSEEN.get(name, 0)
    assert (total.total.params, total.total.cost) == (params, macs)


def test_a_bilinear_layer_is_both_of_its_products() -> None:
    """PyTorch's counter passes over it."""
    net = nn.Bilinear(4, 5, 3)
    total = mbprof.from_torch(net, (torch.zeros(1, 4), torch.zeros(1, 5))).profile("trainable")
    assert (total.total.params, total.total.cost) == (4 * 5 * 3 + 3, 4 * 5 * 3 + 5 * 3)
