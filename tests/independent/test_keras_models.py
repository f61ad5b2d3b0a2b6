"""Models of Keras as people write them, counted by PyTorch under Keras, and by Keras' own count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mbprof.exchange.keras_in import module as keras_in
from mbprof.network.load import loads

torch = pytest.importorskip("torch", reason="Keras runs on PyTorch here: make frameworks")
pytest.importorskip("keras", reason="Keras is not installed: make frameworks")
keras: Any = keras_in.keras_library()
layers: Any = keras.layers
MODELS: dict[str, Callable[[], Any]] = {}

pytestmark = pytest.mark.skipif(keras.backend.backend() != "torch", reason="counts are PyTorch's")


def model(make: Callable[[], Any]) -> Callable[[], Any]:
    """Register what makes a model, or a model and the shape of its input."""
    MODELS[make.__name__] = make
    return make


def sequential(shape: tuple[int, ...], *parts: Any) -> Any:
    return keras.Sequential([keras.Input(shape), *parts])


@model
def plain_cnn() -> Any:
    return sequential(
        (16, 16, 3), layers.Rescaling(1 / 255), layers.RandomFlip("horizontal"),
        layers.Conv2D(8, 3, activation="relu"), layers.MaxPooling2D(), layers.BatchNormalization(),
        layers.SeparableConv2D(6, 3, padding="same"), layers.GlobalAveragePooling2D(),
        layers.Dropout(0.5), layers.Dense(4, activation="softmax"),
    )  # fmt: skip


@model
def functional_with_branches() -> Any:
    x = keras.Input((12, 12, 3))
    a = layers.Conv2D(4, 3, padding="same", strides=2)(x)
    b = layers.AveragePooling2D(2)(layers.Conv2D(4, 1)(x))
    y = layers.Concatenate()([layers.Maximum()([a, b]), layers.Average()([a, b])])
    return keras.Model(x, [layers.Flatten()(y), layers.GlobalMaxPooling2D()(y)])


@model
def nested_models() -> Any:
    inner = sequential((6, 6, 4), layers.Conv2D(4, 3, padding="same"), layers.ReLU())
    x = keras.Input((6, 6, 4))
    y = inner(inner(x))
    return keras.Model(x, layers.Add()([x, y]))


class Residual(layers.Layer):  # type: ignore[misc]
    """A layer of the user's own, made of others."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = layers.Conv2D(channels, 3, padding="same")
        self.norm = layers.BatchNormalization()

    def call(self, x: Any) -> Any:
        return x + keras.ops.relu(self.norm(self.conv(x)))


@model
def own_layers() -> Any:
    return sequential((8, 8, 3), layers.Conv2D(4, 1), Residual(4), Residual(4))


class Classifier(keras.Model):  # type: ignore[misc]
    """A model that is a class of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = layers.Conv2D(4, 3, strides=2)
        self.blocks = [Residual(4) for _ in range(2)]
        self.head = layers.Dense(3)

    def call(self, x: Any) -> Any:
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.head(keras.ops.mean(x, axis=(1, 2)))


@model
def own_model() -> Any:
    return Classifier(), (13, 13, 3)


@model
def lstm_of_words() -> Any:
    return sequential(
        (9,), layers.Embedding(20, 6), layers.LSTM(5, return_sequences=True), layers.LSTM(4),
        layers.Dense(2),
    )  # fmt: skip


@model
def gru_both_ways() -> Any:
    both = layers.Bidirectional(layers.GRU(5, return_sequences=True))
    return sequential((7, 3), both, layers.SimpleRNN(4), layers.Dense(2))


@model
def frames() -> Any:
    return sequential(
        (3, 10, 10, 2), layers.TimeDistributed(layers.Conv2D(4, 3)),
        layers.TimeDistributed(layers.GlobalAveragePooling2D()), layers.LSTM(5), layers.Dense(2),
    )  # fmt: skip


@model
def attention() -> Any:
    x = keras.Input((10, 8))
    y = layers.MultiHeadAttention(2, 4)(layers.LayerNormalization()(x), x)
    y = layers.Add()([x, y])
    return keras.Model(x, layers.Dense(8, activation="gelu")(y))


@model
def vision_transformer() -> Any:
    x = keras.Input((16, 16, 3))
    y = layers.Reshape((16, 8))(layers.Conv2D(8, 4, strides=4)(x))
    y = y + layers.MultiHeadAttention(2, 4)(y, y)
    return keras.Model(x, layers.Dense(3)(y[:, 0]))


@model
def volumes() -> Any:
    return sequential(
        (6, 8, 8, 2), layers.Conv3D(4, 3, padding="same"), layers.MaxPooling3D(2),
        layers.Conv3D(3, 2), layers.GlobalAveragePooling3D(), layers.Dense(2),
    )  # fmt: skip


@model
def sequences() -> Any:
    return sequential(
        (20, 3), layers.Conv1D(8, 3, padding="same"), layers.MaxPooling1D(2),
        layers.SeparableConv1D(4, 3), layers.DepthwiseConv1D(3), layers.GlobalAveragePooling1D(),
    )  # fmt: skip


@model
def up_and_down() -> Any:
    x = keras.Input((8, 8, 3))
    down = layers.Conv2D(6, 3, strides=2, padding="same")(layers.ZeroPadding2D(2)(x))
    up = layers.Conv2DTranspose(4, 2, strides=2)(layers.UpSampling2D(2)(down))
    return keras.Model(x, layers.Cropping2D(4)(up))


@model
def two_towers() -> Any:
    a, b = keras.Input((6,)), keras.Input((6,))
    tower = keras.Sequential([layers.Dense(8, activation="relu"), layers.Dense(4)])
    return keras.Model([a, b], layers.Dot(1)([tower(a), tower(b)]))


@model
def einsum_dense() -> Any:
    dense = layers.EinsumDense("abc,cd->abd", (None, 5), bias_axes="d", activation="silu")
    return sequential((7, 4), dense, layers.Normalization(mean=0.0, variance=1.0))


@model
def operations() -> Any:
    x = keras.Input((6, 6, 4))
    mean = keras.ops.mean(x, axis=-1, keepdims=True)
    y = (x - mean) / keras.ops.sqrt(keras.ops.var(x, axis=-1, keepdims=True) + 1e-6)
    flat = keras.ops.reshape(y, (-1, 36, 4))
    scores = keras.ops.matmul(flat, keras.ops.transpose(flat, (0, 2, 1)))
    return keras.Model(x, keras.ops.max(scores, axis=1))


MISSING = {"operations": {"Var": 1}}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MODELS)
def test_a_model_costs_what_is_counted(name: str) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    made = MODELS[name]()
    net, shapes = made if isinstance(made, tuple) else (made, None)
    shapes = [shapes] if shapes else [tuple(x.shape[1:]) for x in net.inputs]
    images = [torch.zeros(1, *shape) for shape in shapes]
    draft = keras_in.drafted(net, "net", "a test", images[0])
    total = loads(draft.text(), "net").build().profile("trainable")
    assert total.missing == MISSING.get(name, {})
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        net(images if len(images) > 1 else images[0], training=False)
    trained = sum(w.value.numel() for w in net.trainable_weights)
    macs = counter.get_total_flops() // 2
    assert (total.total.params, total.total.cost) == (trained, macs)
