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


@given(st.data(), st.tuples(sizes, sizes), st.tuples(small, small), st.tuples(small, small))
def test_transposed_convolution_paints_a_canvas(
    data: st.DataObject, size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int]
) -> None:
    groups = data.draw(small)
    channels, filters = groups * data.draw(small), groups * data.draw(small)
    dilation = data.draw(st.tuples(small, small))
    cut = data.draw(st.tuples(*[st.integers(0, 2)] * 4))
    added = tuple(
        data.draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True)
    )
    image = (channels, *size)
    counted = loops.spread(image, filters, kernel, stride, dilation, groups)
    _, rows, columns = counted.shape
    out = (filters, rows - cut[0] - cut[1] + added[0], columns - cut[2] - cut[3] + added[1])
    assume(min(out) > 0)
    step = (
        f"{{op: tconv, c: {filters}, k: {list(kernel)}, s: {list(stride)}, d: {list(dilation)}, "
        f"p: {list(cut)}, p_out: {list(added)}, g: {groups}}}"
    )
    row = only_row(image, step, "torch")
    assert (row.out_shape, row.params, row.cost) == (out, counted.weights, counted.macs)


@given(st.data(), small, small, small, small, sizes, sizes)
def test_attention_scores_each_key_for_each_query(
    data: st.DataObject, heads: int, d: int, d_v: int, windows: int, n: int, m: int
) -> None:
    kv = data.draw(st.sampled_from([k for k in range(1, heads + 1) if heads % k == 0]))
    text = f"""
    name: one
    input: {{channels: 1, res: 1}}
    body:
      - {{op: param, shape: [{n * windows}, {heads * d}], out: q}}
      - {{op: param, shape: [{m * windows}, {kv * d}], out: k}}
      - {{op: param, shape: [{m * windows}, {kv * d_v}], out: v}}
      - {{op: sdpa, in: [q, k, v], heads: {heads}, kv_heads: {kv}, windows: {windows}}}
    """
    *_, row = mbprof.loads(text).build().profile().rows
    counted = loops.attend([(range(n), range(m))] * windows, heads, d, d_v)
    assert row.out_shape == (n * windows, heads * d_v)
    assert (row.cost, row.facts.exp, row.facts.divide) == (
        counted.macs,
        counted.scores,
        counted.scores,
    )
    assert (row.facts.compare, row.facts.add) == (counted.comparisons, counted.additions)


@given(st.data(), st.tuples(small, sizes, sizes), st.booleans())
def test_means_sums_maxima_and_softmax_run_along_their_axes(
    data: st.DataObject, shape: tuple[int, int, int], keep: bool
) -> None:
    axes = data.draw(st.sets(st.integers(0, 2), min_size=1, max_size=2))
    written = [data.draw(st.sampled_from([axis, axis - 3])) for axis in axes]
    found = loops.vectors(shape, axes)
    sizes_left = [1 if axis in axes else n for axis, n in enumerate(shape)]
    left = sizes_left if keep else [n for axis, n in enumerate(shape) if axis not in axes]
    combined = sum(len(places) - 1 for places in found.values())
    keys = f"axes: {written}, keep: {str(keep).lower()}"
    mean = only_row(shape, f"{{op: mean, {keys}}}", "torch")
    assert (mean.out_shape, mean.facts.add, mean.facts.divide) == (
        tuple(left),
        combined,
        len(found),
    )
    total = only_row(shape, f"{{op: sum, {keys}}}", "torch")
    assert (total.out_shape, total.facts.add) == (tuple(left), combined)
    largest = only_row(shape, f"{{op: max, {keys}}}", "torch")
    assert (largest.out_shape, largest.facts.compare) == (tuple(left), combined)
    axis = min(axes)
    lines = loops.vectors(shape, {axis})
    softmax = only_row(shape, f"{{op: softmax, axis: {axis}}}", "torch")
    assert softmax.out_shape == shape
    assert softmax.facts.compare == sum(len(places) - 1 for places in lines.values())
    assert softmax.facts.add == sum(2 * len(places) - 1 for places in lines.values())


@given(st.data(), st.tuples(small, sizes, sizes))
def test_slices_are_those_of_a_list(data: st.DataObject, shape: tuple[int, int, int]) -> None:
    axis, step = data.draw(st.integers(-3, 2)), data.draw(small)
    n = shape[axis]
    start = data.draw(st.integers(-n, n - 1))
    stop = data.draw(st.none() | st.integers(-n, n))
    kept = len(range(n)[start:stop:step])
    assume(kept)
    end = "" if stop is None else f", to: {stop}"
    row = only_row(shape, f"{{op: slice, axis: {axis}, from: {start}{end}, step: {step}}}", "torch")
    expected = list(shape)
    expected[axis] = kept
    assert row.out_shape == tuple(expected)


@given(small, sizes, sizes, small)
def test_pixels_are_shuffled_there_and_back(c: int, h: int, w: int, r: int) -> None:
    pixels = {
        (channel // r**2, y * r + channel // r % r, x * r + channel % r)
        for channel in range(c * r * r)
        for y in range(h)
        for x in range(w)
    }
    image = tuple(max(place[axis] for place in pixels) + 1 for axis in range(3))
    assert len(pixels) == c * r * r * h * w
    assert only_row((c * r * r, h, w), f"{{op: pixelshuffle, by: {r}}}", "torch").out_shape == image
    back = only_row((c, h * r, w * r), f"{{op: pixelunshuffle, by: {r}}}", "torch")
    assert back.out_shape == (c * r * r, h, w)


@given(small, small, sizes, sizes)
def test_norms_look_at_each_group_of_channels(g: int, c: int, h: int, w: int) -> None:
    row = only_row((g * c, h, w), f"{{op: gn, g: {g}}}", "torch")
    groups = {channel // c for channel in range(g * c)}
    assert (row.facts.params, row.facts.divide) == (2 * g * c, 3 * len(groups))
    tokens = "{op: tokens}, {op: rms}, {op: permute, axes: [1, 0]}"
    spec = f"{{name: one, input: {{channels: {g * c}, res: {h}x{w}}}, body: [{tokens}]}}"
    _, rms, permuted = mbprof.loads(spec).build().profile().rows
    positions = {(y, x) for y in range(h) for x in range(w)}
    assert (rms.facts.params, rms.facts.divide) == (g * c, 2 * len(positions))
    assert permuted.out_shape == (g * c, len(positions))
