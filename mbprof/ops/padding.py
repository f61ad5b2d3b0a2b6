"""How much zero padding each framework adds, as a registry of rules for one axis.

A rule takes the size n, kernel k, stride s and dilation d of one axis and returns the padding
before and after. The frameworks agree at even sizes and differ at odd ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from mbprof.symbolic.arithmetic import ceil_div, maximum


class PaddingRule(NamedTuple):
    """A padding rule: the amounts before and after, what it does, and whose code does it."""

    amounts: Callable[[int, int, int, int], tuple[int, int]]
    doc: str
    source: str
    size: Callable[[int, int], int] | None = None
    """The output size from n and s, where it does not depend on the kernel."""


def effective(k: int, d: int) -> int:
    """Return the extent of a dilated kernel, (k - 1)·d + 1.

    >>> effective(3, 2)
    5
    """
    return (k - 1) * d + 1


def _tf_same(n: int, k: int, s: int, d: int) -> tuple[int, int]:
    total = maximum((ceil_div(n, s) - 1) * s + effective(k, d) - n, 0)
    return total // 2, total - total // 2


def _valid(n: int, k: int, s: int, d: int) -> tuple[int, int]:
    return 0, 0


def _torch(n: int, k: int, s: int, d: int) -> tuple[int, int]:
    side = (k - 1) * d // 2
    return side, side


def _fixed(n: int, k: int, s: int, d: int) -> tuple[int, int]:
    total = effective(k, d) - 1
    return total // 2, total - total // 2


def _keras_v1(n: int, k: int, s: int, d: int) -> tuple[int, int]:
    return _tf_same(n, k, s, d) if s == 1 else (0, 1)


def _keras(n: int, k: int, s: int, d: int) -> tuple[int, int]:
    return _tf_same(n, k, s, d) if s == 1 else (k // 2 - (1 - n % 2), k // 2)


PADDING_RULES: dict[str, PaddingRule] = {
    "tf-same": PaddingRule(
        _tf_same,
        "output ⌈n/s⌉; an odd amount of padding goes one more after than before",
        "tensorflow/python/ops/nn_ops.py, padding SAME",
        size=ceil_div,
    ),
    "valid": PaddingRule(_valid, "no padding", "tensorflow/python/ops/nn_ops.py, padding VALID"),
    "torch": PaddingRule(
        _torch, "⌊d·(k - 1)/2⌋ on both sides", "torchvision/ops/misc.py, Conv2dNormActivation"
    ),
    "fixed": PaddingRule(
        _fixed,
        "d·(k - 1) in total, whatever the size and the stride",
        "TF-slim research/slim/nets/resnet_utils.py, conv2d_same",
    ),
    "keras-v1": PaddingRule(
        _keras_v1,
        "as tf-same at stride 1, else nothing before and 1 after",
        "keras/src/applications/mobilenet.py, ZeroPadding2D(((0, 1), (0, 1)))",
    ),
    "keras": PaddingRule(
        _keras,
        "as tf-same at stride 1, else ⌊k/2⌋ after and one less before at even sizes",
        "keras/src/applications/imagenet_utils.py, correct_pad",
    ),
}

FAMILIES = tuple(name for name in PADDING_RULES if name != "valid")
"""The rules that can stand behind ``same``, that is the values of a spec's ``padding:``."""
