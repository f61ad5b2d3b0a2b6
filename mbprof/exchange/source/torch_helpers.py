"""Source text that files of PyTorch may need, by the name that they call it."""

_PADS = '''
def pad_{name}(x, kernel, stride, dilation, value=0.0):
    """Pad height and width{doc}."""
    pads = []
    for n, k, s, d in zip(x.shape[2:], kernel, stride, dilation):
        {rule}
        pads = [before, after] + pads
    return F.pad(x, pads, value=value)
'''

_TF_RULE = """total = max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
        before, after = total // 2, total - total // 2"""

_RULES = {
    "tf-same": (", so that the output has the size of the input over the stride", _TF_RULE),
    "fixed": (
        " by the size of the kernel less one",
        """total = (k - 1) * d
        before, after = total // 2, total - total // 2""",
    ),
    "keras": (
        " as Keras does where a layer strides",
        f"""{_TF_RULE}
        if s > 1:
            before, after = k // 2 - (1 - n % 2), k // 2""",
    ),
    "keras-v1": (
        " as Keras does where a layer strides, by one row and column at the end",
        f"""{_TF_RULE}
        if s > 1:
            before, after = 0, 1""",
    ),
}

SUFFIX = {"tf-same": "Same", "fixed": "Fixed", "keras": "Keras", "keras-v1": "KerasV1"}
"""How layers with a rule of padding are called, behind the layer's name."""

_CONV = '''
class Conv2d{suffix}(nn.Conv2d):
    """A convolution that pads its input by itself."""

    def forward(self, x):
        return super().forward(pad_{name}(x, self.kernel_size, self.stride, self.dilation))
'''


def _padded() -> dict[str, str]:
    made = {}
    for rule, (doc, source) in _RULES.items():
        name, suffix = SUFFIX[rule].lower(), SUFFIX[rule]
        made[f"pad_{name}"] = _PADS.format(name=name, doc=doc, rule=source)
        made[f"Conv2d{suffix}"] = _CONV.format(name=name, suffix=suffix)
    return made


HELPERS: dict[str, str] = {
    **_padded(),
    "CroppedConvTranspose2d": '''
class CroppedConvTranspose2d(nn.ConvTranspose2d):
    """A transposed convolution that cuts off, or adds, another number of rows on each side."""

    def __init__(self, c_in, c_out, kernel_size, pads, **args):
        super().__init__(c_in, c_out, kernel_size, **args)
        self.pads = pads

    def forward(self, x):
        x = F.conv_transpose2d(
            x, self.weight, None, self.stride, 0, 0, self.groups, self.dilation
        )
        x = F.pad(x, self.pads)
        return x if self.bias is None else x + self.bias[:, None, None]
''',
    "MeanPool2d": '''
class MeanPool2d(nn.Module):
    """Take the mean of each window; of the padding only what is counted takes part."""

    def __init__(self, kernel, stride, pads, counted):
        super().__init__()
        self.kernel, self.stride, self.pads, self.counted = kernel, stride, pads, counted

    def forward(self, x):
        mask = F.pad(torch.ones_like(x[:1, :1]), self.counted, value=1.0)
        rest = [pad - count for pad, count in zip(self.pads, self.counted)]
        share = F.avg_pool2d(F.pad(mask, rest), self.kernel, self.stride)
        return F.avg_pool2d(F.pad(x, self.pads), self.kernel, self.stride) / share
''',
    "ScaledConv2d": '''
class ScaledConv2d(nn.Conv2d):
    """A convolution with standardised weights and a gain for each output channel."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.gain = nn.Parameter(torch.ones(self.out_channels))

    def forward(self, x):
        variance, mean = torch.var_mean(self.weight, (1, 2, 3), keepdim=True, correction=0)
        size = self.weight[0].numel()
        scale = self.gain.view(-1, 1, 1, 1) * torch.rsqrt(size * (variance + 1e-5))
        return self._conv_forward(x, (self.weight - mean) * scale, self.bias)
''',
    "DynamicConv2d": '''
class DynamicConv2d(nn.Module):
    """A convolution whose weights are an input, other ones for each image."""

    def __init__(
        self, c_in, c_out, kernel, stride=1, padding=0, dilation=1, groups=1, bias=False, gain=False
    ):
        super().__init__()
        self.shape = (c_out, c_in // groups, *kernel)
        self.kernel_size, self.stride, self.padding = kernel, stride, padding
        self.dilation, self.groups = dilation, groups
        self.bias = nn.Parameter(torch.zeros(c_out)) if bias else None
        self.gain = nn.Parameter(torch.ones(c_out)) if gain else None

    def forward(self, x, weight):
        n = len(x)
        weight = weight.reshape(-1, *self.shape).expand(n, -1, -1, -1, -1)
        if self.gain is not None:
            variance, mean = torch.var_mean(weight, (2, 3, 4), keepdim=True, correction=0)
            scale = torch.rsqrt(weight[0, 0].numel() * (variance + 1e-5))
            weight = (weight - mean) * scale * self.gain.view(-1, 1, 1, 1)
        x = F.pad(x, self.padding) if isinstance(self.padding, list) else x
        x = x.reshape(1, -1, *x.shape[2:])
        padding = 0 if isinstance(self.padding, list) else self.padding
        groups = n * self.groups
        x = F.conv2d(x, weight.flatten(0, 1), None, self.stride, padding, self.dilation, groups)
        x = x.reshape(n, -1, *x.shape[2:])
        return x if self.bias is None else x + self.bias.view(-1, 1, 1)
''',
    "ChannelsLast": '''
class ChannelsLast(nn.Module):
    """Apply a layer to tensors whose channels are the last axis, not the first."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x.movedim(-1, 1)).movedim(1, -1)
''',
    "ChannelsFirst": '''
class ChannelsFirst(nn.Module):
    """Apply a layer for the last axis to maps, whose channels are the first."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x.movedim(1, -1)).movedim(-1, 1)
''',
    "without": '''
def without(norm, *names):
    """Return a normalisation without its scale (weight) or shift (bias)."""
    for name in names:
        norm.register_parameter(name, None)
    return norm
''',
    "fixed": '''
def fixed(conv):
    """Return a convolution whose weights are not trained: a buffer."""
    weight = conv.weight.detach()
    del conv.weight
    conv.register_buffer("weight", weight)
    return conv
''',
    "Normalize": '''
class Normalize(nn.Module):
    """Shift and scale each channel by the statistics of the data set."""

    def __init__(self, channels, axis):
        super().__init__()
        self.mean = nn.Buffer(torch.zeros(channels))
        self.variance = nn.Buffer(torch.ones(channels))
        self.count = nn.Buffer(torch.zeros(()))
        self.axis = axis

    def forward(self, x):
        x = x.movedim(self.axis, -1)
        return ((x - self.mean) / self.variance.sqrt()).movedim(-1, self.axis)
''',
    "StarReLU": '''
class StarReLU(nn.Module):
    """s · max(x, 0)² + b with trained s and b."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.full((1,), 0.8944))
        self.bias = nn.Parameter(torch.full((1,), -0.4472))

    def forward(self, x):
        return self.scale * F.relu(x) ** 2 + self.bias
''',
    "GELUTanh": '''
class GELUTanh(nn.Module):
    """GELU, approximated with a hyperbolic tangent."""

    def forward(self, x):
        return F.gelu(x, approximate="tanh")
''',
    "QuickGELU": '''
class QuickGELU(nn.Module):
    """x / (1 + exp(-1.702 · x))"""

    def forward(self, x):
        return x * torch.sigmoid(1.702 * x)
''',
    "LookUp": '''
class LookUp(nn.Module):
    """Look up rows of a table; which ones the specification leaves open, so they are made up."""

    def __init__(self, rows, to, axis):
        super().__init__()
        index = torch.arange(math.prod(to)) % rows
        self.register_buffer("index", index, persistent=False)
        self.to_shape, self.axis = to, axis

    def forward(self, x):
        return x.index_select(self.axis, self.index).unflatten(self.axis, self.to_shape)
''',
    "attention": '''
def attention(q, k, v, heads, bias=None, kv_heads=None, windows=1):
    """Attend to tokens (N, C) in heads; with windows in equal parts of the tokens."""

    def split(x, heads):
        x = x.unflatten(2, (heads, -1)).unflatten(1, (windows, -1))
        return x.transpose(2, 3).flatten(0, 1)

    n = max(len(q), len(k), len(v))
    kv_heads = kv_heads or heads
    q, k, v = (x.expand(n, -1, -1) for x in (q, k, v))
    q, k, v = split(q, heads), split(k, kv_heads), split(v, kv_heads)
    k, v = (x.repeat_interleave(heads // kv_heads, 1) for x in (k, v))
    if bias is not None:
        bias = (bias if bias.dim() == 5 else bias.unsqueeze(2)).transpose(1, 2)
        bias = bias.expand(n, windows, -1, -1, -1).flatten(0, 1)
    x = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
    return x.unflatten(0, (n, windows)).transpose(2, 3).flatten(3).flatten(1, 2)
''',
    "score_bias": '''
def score_bias(x, to, axis=0):
    """Look up a bias for each score; which one the specification leaves open, so it is made up."""
    heads = 1 if axis is None else to[0]
    x = x if axis is None else x.movedim(axis + 1, 1)
    x = x.reshape(len(x), heads, -1)
    index = torch.arange(math.prod(to) // heads, device=x.device) % x.shape[2]
    return x[:, :, index].reshape(len(x), *to)
''',
    "rotate": '''
def rotate(x, first=0, frequencies=None):
    """Turn pairs of channels of the tokens behind the first ones by angles of their positions."""
    pairs = x.shape[2] // 2
    if frequencies is None:
        frequencies = 10000.0 ** (-torch.arange(pairs, device=x.device) / pairs)
    else:
        places = torch.arange(pairs, device=x.device) % frequencies[0].numel()
        frequencies = frequencies.flatten()[places]
    angles = torch.arange(x.shape[1] - first, device=x.device)[:, None] * frequencies
    rest, x = x[:, :first], x[:, first:].unflatten(2, (pairs, 2))
    a, b, cos, sin = x[..., 0], x[..., 1], angles.cos(), angles.sin()
    turned = torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(2)
    return torch.cat([rest, turned], 1)
''',
}
"""Classes and functions that a file has if it calls them."""

SIMPLE = {
    "attention": '''
def attention(q, k, v, heads):
    """Attend to tokens (N, C) in heads."""
    q, k, v = (x.unflatten(2, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
''',
}
"""What suffices where attention has no windows, no bias, and heads of keys for each of queries."""
