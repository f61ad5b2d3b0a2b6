"""Costs and shapes against loops that were really run."""

from hypothesis import assume, given
from hypothesis import strategies as st

import mbprof
from mbprof.network.rows import Row
from tests.independent import loops

small = st.integers(1, 3)
sizes = st.integers(1, 7)


def only_row(image: tuple[int, int, int], step: str, padding: str) -> Row:
    c, h, w = image
    text = (
        f"{{name: one, padding: {padding}, input: {{channels: {c}, res: {h}x{w}}}, body: [{step}]}}"
    )
    (row,) = mbprof.loads(text).build().profile().rows
    return row


@given(st.data(), st.tuples(sizes, sizes), st.tuples(small, small), st.tuples(small, small))
def test_grouped_convolution_with_explicit_padding(
    data: st.DataObject, size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int]
) -> None:
    groups = data.draw(small)
    channels, filters = groups * data.draw(small), groups * data.draw(small)
    dilation = data.draw(st.tuples(small, small))
    padding = data.draw(st.tuples(st.integers(0, 2), st.integers(0, 2)))
    rows, columns = (
        loops.starts_symmetric(size[i], kernel[i], stride[i], dilation[i], padding[i])
        for i in (0, 1)
    )
    assume(rows and columns)
    image = (channels, *size)
    counted = loops.convolve(image, filters, kernel, rows, columns, groups)
    step = (
        f"{{op: conv, c: {filters}, k: {list(kernel)}, s: {list(stride)}, d: {list(dilation)}, "
        f"p: {list(padding)}, g: {groups}}}"
    )
    row = only_row(image, step, "torch")
    assert (row.out_shape, row.params, row.cost) == (counted.shape, counted.weights, counted.macs)


@given(st.data(), st.tuples(sizes, sizes), st.integers(1, 5), st.integers(1, 4))
def test_convolution_with_same_padding_of_tensorflow(
    data: st.DataObject, size: tuple[int, int], k: int, s: int
) -> None:
    channels, filters, d = data.draw(small), data.draw(small), data.draw(small)
    image = (channels, *size)
    rows, columns = loops.starts_same(size[0], s), loops.starts_same(size[1], s)
    counted = loops.convolve(image, filters, (k, k), rows, columns, 1)
    row = only_row(image, f"{{op: conv, c: {filters}, k: {k}, s: {s}, d: {d}}}", "tf-same")
    assert (row.out_shape, row.params, row.cost) == (counted.shape, counted.weights, counted.macs)


@given(st.data(), st.tuples(sizes, sizes), small, small)
def test_depthwise_convolution_with_a_multiplier(
    data: st.DataObject, size: tuple[int, int], k: int, s: int
) -> None:
    channels, m = data.draw(small), data.draw(small)
    image = (channels, *size)
    p = k // 2
    rows, columns = (loops.starts_symmetric(n, k, s, 1, p) for n in size)
    assume(rows and columns)
    counted = loops.convolve(image, channels * m, (k, k), rows, columns, channels)
    row = only_row(image, f"{{op: dwconv, k: {k}, s: {s}, m: {m}, p: {p}}}", "torch")
    assert (row.out_shape, row.params, row.cost) == (counted.shape, counted.weights, counted.macs)


@given(sizes, small, small, st.booleans(), st.data())
def test_pooling_slides_as_a_window_does(
    n: int, k: int, s: int, ceil: bool, data: st.DataObject
) -> None:
    p = data.draw(st.integers(0, k // 2))
    expected = loops.pool(n, k, s, p, ceil)
    assume(n + 2 * p >= k)
    step = f"{{op: maxpool, k: {k}, s: {s}, p: {p}, ceil: {str(ceil).lower()}}}"
    assert only_row((2, n, n), step, "torch").out_shape == (2, expected, expected)


@given(st.integers(1, 40), st.integers(1, 40))
def test_adaptive_pooling_covers_what_its_windows_hold(n: int, m: int) -> None:
    windows = [range(i * n // m, -((-(i + 1) * n) // m)) for i in range(m)]
    row = only_row((1, n, 1), f"{{op: adaptiveavgpool, size: [{m}, 1]}}", "torch")
    assert row.out_shape == (1, m, 1)
    assert row.facts.add == sum(len(window) - 1 for window in windows)
    assert row.facts.divide == m


@given(st.integers(1, 6), st.integers(1, 6), st.booleans())
def test_linear_touches_every_pair_of_features(c_in: int, c_out: int, bias: bool) -> None:
    touched = {(i, o) for i in range(c_in) for o in range(c_out)}
    row = only_row((c_in, 1, 1), f"{{op: linear, c: {c_out}, bias: {str(bias).lower()}}}", "torch")
    assert (row.params, row.cost) == (len(touched), len(touched))
    assert row.facts.biases == (c_out if bias else 0)
