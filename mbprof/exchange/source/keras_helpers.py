"""Source text that files of Keras may need, by the name that they call it."""

HELPERS: dict[str, str] = {
    "per_image": '''
def per_image(value, x):
    """Repeat a value for each image of a batch."""
    return ops.broadcast_to(value, (ops.shape(x)[0], *value.shape[1:]))
''',
    "Pad2D": '''
class Pad2D(layers.Layer):
    """Pad height and width with a value."""

    def __init__(self, pads, value=0.0):
        super().__init__()
        self.pads, self.value = pads, value

    def call(self, x):
        return ops.pad(x, ((0, 0), *self.pads, (0, 0)), constant_values=self.value)
''',
    "MeanPool2D": '''
class MeanPool2D(layers.Layer):
    """Take the mean of each window; of the padding only what is counted takes part."""

    def __init__(self, kernel, stride, pads, counted):
        super().__init__()
        self.kernel, self.stride, self.pads, self.counted = kernel, stride, pads, counted

    def call(self, x):
        rest = [(a - b, c - d) for (a, c), (b, d) in zip(self.pads, self.counted)]
        mask = ops.ones_like(x[:1, :, :, :1])
        mask = ops.pad(mask, ((0, 0), *self.counted, (0, 0)), constant_values=1.0)
        mask = ops.pad(mask, ((0, 0), *rest, (0, 0)))
        x = ops.pad(x, ((0, 0), *self.pads, (0, 0)))
        share = ops.average_pool(mask, self.kernel, self.stride)
        return ops.average_pool(x, self.kernel, self.stride) / share
''',
    "ScaledConv2D": '''
class ScaledConv2D(layers.Conv2D):
    """A convolution with standardised weights and a gain for each output channel."""

    def build(self, input_shape):
        super().build(input_shape)
        self.gain = self.add_weight(shape=(self.filters,), initializer="ones", name="gain")

    def call(self, x):
        mean, variance = ops.moments(self.kernel, (0, 1, 2), keepdims=True)
        size = math.prod(self.kernel.shape[:3])
        kernel = (self.kernel - mean) * ops.rsqrt(size * (variance + 1e-5)) * self.gain
        x = ops.conv(x, kernel, self.strides, self.padding, "channels_last", self.dilation_rate)
        return x + self.bias if self.use_bias else x
''',
    "DynamicConv2D": '''
class DynamicConv2D(layers.Layer):
    """A convolution whose weights are an input, other ones for each image."""

    def __init__(
        self, c_in, c, kernel, pads, strides=1, dilation_rate=1, groups=1, bias=False, gain=False
    ):
        super().__init__()
        self.shape, self.pads, self.strides = (c, c_in // groups, *kernel), pads, strides
        self.dilation_rate, self.groups = dilation_rate, groups
        self.bias = self.add_weight(shape=(c,), initializer="zeros") if bias else None
        self.gain = self.add_weight(shape=(c,), initializer="ones") if gain else None

    def call(self, x, weight):
        n = ops.shape(x)[0]
        weight = ops.reshape(weight, (-1, *self.shape))
        weight = ops.broadcast_to(weight, (n, *self.shape))
        if self.gain is not None:
            mean, variance = ops.moments(weight, (2, 3, 4), keepdims=True)
            size = math.prod(self.shape[1:])
            gain = ops.reshape(self.gain, (-1, 1, 1, 1))
            weight = (weight - mean) * ops.rsqrt(size * (variance + 1e-5)) * gain
        c, c_in, high, wide = self.shape
        kernel = ops.reshape(weight, (-1, c_in, high, wide))
        kernel = ops.transpose(kernel, (2, 3, 1, 0))
        x = ops.pad(x, ((0, 0), *self.pads, (0, 0)))
        x = ops.transpose(x, (1, 2, 0, 3))
        x = ops.reshape(x, (1, *x.shape[:2], -1))
        x = ops.conv(x, kernel, self.strides, "valid", "channels_last", self.dilation_rate)
        x = ops.reshape(x, (*x.shape[1:3], n, c))
        x = ops.transpose(x, (2, 0, 1, 3))
        return x if self.bias is None else x + self.bias
''',
    "AdaptiveMean2D": '''
class AdaptiveMean2D(layers.Layer):
    """Take the means of a grid of windows that covers each map."""

    def __init__(self, size):
        super().__init__()
        self.size = size

    def call(self, x):
        for axis, m in zip((1, 2), self.size):
            n = x.shape[axis]
            spans = [range(i * n // m, -(-(i + 1) * n // m)) for i in range(m)]
            parts = [
                ops.mean(ops.take(x, list(span), axis=axis), axis=axis, keepdims=True)
                for span in spans
            ]
            x = ops.concatenate(parts, axis=axis)
        return x
''',
    "Nearest2D": '''
class Nearest2D(layers.Layer):
    """Repeat or leave out rows and columns."""

    def __init__(self, high, wide, by=None):
        super().__init__()
        self.size, self.by = (high, wide), by

    def call(self, x):
        for axis, m, by in zip((1, 2), self.size, self.by or (None, None)):
            n = x.shape[axis]
            exact = by is None or by == m / n
            rows = [min(i * n // m if exact else int(i / by), n - 1) for i in range(m)]
            x = ops.take(x, rows, axis=axis)
        return x
''',
    "Bilinear2D": '''
class Bilinear2D(layers.Layer):
    """Interpolate rows and columns that are not as far apart as the sizes say."""

    def __init__(self, high, wide, by):
        super().__init__()
        self.size, self.by = (high, wide), by

    def call(self, x):
        for axis, m, by in zip((1, 2), self.size, self.by):
            n = x.shape[axis]
            places = [max((i + 0.5) / by - 0.5, 0.0) for i in range(m)]
            before = [min(int(place), n - 1) for place in places]
            after = [min(row + 1, n - 1) for row in before]
            share = ops.convert_to_tensor([p - row for p, row in zip(places, before)], "float32")
            share = ops.reshape(share, (-1, 1, 1) if axis == 1 else (-1, 1))
            first, second = ops.take(x, before, axis=axis), ops.take(x, after, axis=axis)
            x = first + (second - first) * share
        return x
''',
    "RMSNorm": '''
class RMSNorm(layers.Layer):
    """Divide the channels by their root mean square, without a scale."""

    def call(self, x):
        return x * ops.rsqrt(ops.mean(ops.square(x), axis=-1, keepdims=True) + 1e-5)
''',
    "Normalize": '''
class Normalize(layers.Layer):
    """Shift and scale each channel by the statistics of the data set."""

    def __init__(self, channels):
        super().__init__()
        shape = (channels,)
        self.mean = self.add_weight(shape=shape, initializer="zeros", trainable=False)
        self.variance = self.add_weight(shape=shape, initializer="ones", trainable=False)
        self.count = self.add_weight(shape=(1,), initializer="zeros", trainable=False)

    def call(self, x):
        return (x - self.mean) / ops.sqrt(self.variance)
''',
    "LocalResponseNorm": '''
class LocalResponseNorm(layers.Layer):
    """Divide each element by a power of the mean square of neighbouring channels."""

    def __init__(self, size):
        super().__init__()
        self.size = size

    def call(self, x):
        c, pads = x.shape[-1], (self.size // 2, (self.size - 1) // 2)
        squares = ops.pad(ops.square(x), ((0, 0),) * (len(x.shape) - 1) + (pads,))
        total = sum(squares[..., i : i + c] for i in range(self.size))
        return x / (1.0 + 1e-4 / self.size * total) ** 0.75
''',
    "StarReLU": '''
class StarReLU(layers.Layer):
    """s · max(x, 0)² + b with trained s and b."""

    def __init__(self):
        super().__init__()
        self.scale = self.add_weight(shape=(1,), initializer="ones")
        self.bias = self.add_weight(shape=(1,), initializer="zeros")

    def call(self, x):
        return self.scale * ops.relu(x) ** 2 + self.bias
''',
    "GELUTanh": '''
class GELUTanh(layers.Layer):
    """GELU, approximated with a hyperbolic tangent."""

    def call(self, x):
        return ops.gelu(x, approximate=True)
''',
    "QuickGELU": '''
class QuickGELU(layers.Layer):
    """x / (1 + exp(-1.702 · x))"""

    def call(self, x):
        return x * ops.sigmoid(1.702 * x)
''',
    "channel_shuffle": '''
def channel_shuffle(x, groups):
    """Interleave the channels of groups."""
    _, h, w, c = x.shape
    x = ops.reshape(x, (-1, h, w, groups, c // groups))
    return ops.reshape(ops.transpose(x, (0, 1, 2, 4, 3)), (-1, h, w, c))
''',
    "pixel_shuffle": '''
def pixel_shuffle(x, by):
    """Make maps larger by putting channels beside each other."""
    _, h, w, c = x.shape
    x = ops.reshape(x, (-1, h, w, c // by**2, by, by))
    return ops.reshape(ops.transpose(x, (0, 1, 4, 2, 5, 3)), (-1, h * by, w * by, c // by**2))
''',
    "pixel_unshuffle": '''
def pixel_unshuffle(x, by):
    """Make maps smaller by putting the pixels of squares behind each other as channels."""
    _, h, w, c = x.shape
    x = ops.reshape(x, (-1, h // by, by, w // by, by, c))
    return ops.reshape(ops.transpose(x, (0, 1, 3, 5, 2, 4)), (-1, h // by, w // by, c * by**2))
''',
    "look_up": '''
def look_up(x, to, axis):
    """Look up rows of a table; which ones the specification leaves open, so they are made up."""
    index = [i % x.shape[axis] for i in range(math.prod(to))]
    shape = (-1, *x.shape[1:axis], *to, *x.shape[axis + 1 :])
    return ops.reshape(ops.take(x, index, axis=axis), shape)
''',
    "attention": '''
def attention(q, k, v, heads, bias=None, kv_heads=None, windows=1):
    """Attend to tokens (N, C) in heads; with windows in equal parts of the tokens."""

    def split(x, heads):
        n, c = x.shape[1:]
        x = ops.reshape(x, (-1, windows, n // windows, heads, c // heads))
        return ops.transpose(x, (0, 1, 3, 2, 4))

    kv_heads = kv_heads or heads
    n = q.shape[1]
    q, k, v = split(q, heads), split(k, kv_heads), split(v, kv_heads)
    k, v = (ops.repeat(x, heads // kv_heads, axis=2) for x in (k, v))
    scores = ops.matmul(q, ops.swapaxes(k, -2, -1)) * q.shape[-1] ** -0.5
    if bias is not None:
        bias = bias if len(bias.shape) == 5 else ops.expand_dims(bias, 2)
        scores = scores + ops.swapaxes(bias, 1, 2)
    x = ops.matmul(ops.softmax(scores), v)
    return ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4)), (-1, n, heads * x.shape[-1]))
''',
    "score_bias": '''
def score_bias(x, to, axis=0):
    """Look up a bias for each score; which one the specification leaves open, so it is made up."""
    heads = 1 if axis is None else to[0]
    x = x if axis is None else ops.moveaxis(x, axis + 1, 1)
    x = ops.reshape(x, (-1, heads, math.prod(x.shape[1:]) // heads))
    index = [i % x.shape[2] for i in range(math.prod(to) // heads)]
    return ops.reshape(ops.take(x, index, axis=2), (-1, *to))
''',
    "rotate": '''
def rotate(x, first=0, frequencies=None):
    """Turn pairs of channels of the tokens behind the first ones by angles of their positions."""
    n, c = x.shape[1] - first, x.shape[2]
    if frequencies is None:
        frequencies = 10000.0 ** (-ops.arange(0, c, 2, dtype="float32") / c)
    else:
        frequencies = ops.reshape(frequencies, (-1,))
        size = frequencies.shape[0]
        frequencies = ops.take(frequencies, [i % size for i in range(c // 2)])
    angles = ops.arange(n, dtype="float32")[:, None] * frequencies
    rest, x = x[:, :first], ops.reshape(x[:, first:], (-1, n, c // 2, 2))
    a, b, cos, sin = x[..., 0], x[..., 1], ops.cos(angles), ops.sin(angles)
    turned = ops.stack([a * cos - b * sin, a * sin + b * cos], axis=-1)
    return ops.concatenate([rest, ops.reshape(turned, (-1, n, c))], axis=1)
''',
}
"""Classes and functions that a file has if it calls them."""

SIMPLE = {
    "attention": '''
def attention(q, k, v, heads):
    """Attend to tokens (N, C) in heads."""

    def split(x):
        x = ops.reshape(x, (-1, x.shape[1], heads, x.shape[2] // heads))
        return ops.transpose(x, (0, 2, 1, 3))

    n = q.shape[1]
    q, k, v = split(q), split(k), split(v)
    scores = ops.matmul(q, ops.swapaxes(k, -2, -1)) * q.shape[-1] ** -0.5
    x = ops.transpose(ops.matmul(ops.softmax(scores), v), (0, 2, 1, 3))
    return ops.reshape(x, (-1, n, heads * x.shape[-1]))
''',
}
"""What suffices where attention has no windows, no bias, and heads of keys for each of queries."""
