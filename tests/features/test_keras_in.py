"""Keras models as networks: the layers of their graph, with weights that count once."""

import os
from typing import Any

import pytest

from mbprof.errors import ExchangeError
from mbprof.network.load import Network, loads

os.environ.setdefault("KERAS_BACKEND", "torch")
pytest.importorskip("torch", reason="networks of Keras are computed by PyTorch here")
pytest.importorskip("keras", reason="networks of Keras need the extra keras")

from mbprof.exchange.keras_in import module as keras_in

keras: Any = keras_in.keras_library()
layers = keras.layers


def network(model: Any) -> Network:
    return loads(keras_in.drafted(model, "net", "a test").text(), "net").build()


def test_a_model_of_the_applications_costs_what_keras_says() -> None:
    text = keras_in.read("keras:MobileNetV2", {"res": (96, 96)}).text
    total = loads(text, "net").build().profile("stored").total
    assert total.params == keras.applications.MobileNetV2(weights=None).count_params() == 3_538_984


def test_shared_layers_and_nested_models_count_once() -> None:
    image = keras.Input((8, 8, 3))
    inner = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3, padding="same")])
    shared = layers.Conv2D(5, 1, activation="relu")
    both = layers.Concatenate()([shared(inner(image)), shared(inner(image))])
    out = layers.Dense(7)(layers.GlobalAveragePooling2D()(both))
    found = network(keras.Model(image, out))
    total = found.profile("trainable").total
    assert total.params == (3 * 9 * 4 + 4) + (4 * 5 + 5) + (10 * 7 + 7)
    assert total.cost == 2 * 64 * (3 * 9 * 4 + 4 * 5) + 70
    assert found.output_shape == (7,)


def test_channels_stand_last_and_cost_the_same() -> None:
    image = keras.Input((9, 8, 3))
    x = layers.ZeroPadding2D(((0, 1), (0, 0)))(image)
    x = layers.SeparableConv2D(6, 3, strides=2)(x)
    x = layers.BatchNormalization(scale=False)(x)
    gate = layers.Reshape((1, 1, 6))(layers.GlobalMaxPooling2D()(x))
    x = layers.Multiply()([x, layers.Conv2D(6, 1, activation="sigmoid")(gate)])
    x = layers.Conv2DTranspose(2, 2, strides=2)(x)
    model = keras.Model(image, layers.UpSampling2D()(x))
    found = network(model)
    assert found.output_shape == (2, 16, 12)
    assert found.profile("stored").total.params == model.count_params()


def test_attention_is_three_linear_layers_two_products_and_one_more() -> None:
    tokens = keras.Input((10, 16))
    out = layers.MultiHeadAttention(4, 8)(tokens, tokens)
    found = network(keras.Model(tokens, layers.LayerNormalization()(out))).profile("trainable")
    assert found.total.params == 3 * (16 * 32 + 32) + 32 * 16 + 16 + 32
    assert found.total.cost == 10 * 4 * 16 * 32 + 2 * 10 * 10 * 32


def test_a_lambda_is_not_passed_over() -> None:
    image = keras.Input((4, 4, 3))
    out = layers.Lambda(lambda x: x * 2, output_shape=(4, 4, 3))(image)
    assert dict(network(keras.Model(image, out)).profile().missing) == {"Lambda": 1}


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(ExchangeError, match="keras has no model 'MobileNetV9'"):
        keras_in.read("keras:MobileNetV9", {})


@pytest.mark.parametrize("given", [{}, {"mean": [1.0, 2.0, 3.0], "variance": [1.0, 1.0, 1.0]}])
def test_means_are_stored_where_they_are_learned(given: dict[str, Any]) -> None:
    image = keras.Input((6, 6, 3))
    model = keras.Model(image, layers.Conv2D(2, 1)(layers.Normalization(**given)(image)))
    assert network(model).profile("stored").total.params == model.count_params()
