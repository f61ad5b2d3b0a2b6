"""Charts show what was published and computed, are legible, and come out the same every time."""

import csv
import io
import itertools
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.artist import Artist
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox
from PIL import Image

import mbprof
from mbprof import MbprofError, load, table
from mbprof.cli.networks import values_of
from mbprof.device.calibrate import calibrate
from mbprof.pages import plot
from mbprof.pages.charts import device, kinds, layers, style, themes
from mbprof.pages.charts.kinds import PLOTS
from mbprof.pages.charts.options import Options
from mbprof.pages.points import Point, best, front, points, settings, sweep
from mbprof.published.rows import DATA
from tests.conftest import ROOT, loaded, run

MEASURED = ROOT / "tests" / "independent" / "data" / "device" / "pixel1.csv"
MANY = [
    "alexnet", "vgg16", "inception_v3", "inception_v4", "inception_resnet_v2", "xception",
    "resnet50", "resnet50_v2", "se_resnet50", "senet154", "densenet121", "mobilenet_v1",
    "mobilenet_v2", "mobilenet_v3_large", "efficientnet_b0", "efficientnet_lite0",
]  # fmt: skip
CHARTS = [
    ("accuracy", ["mobilenet_v1"]),
    ("accuracy", ["mobilenet_v1", "mobilenet_v2", "mobilenet_v3_large"]),
    ("accuracy", MANY),
    ("cost", ["mobilenet_v2"]),
    ("cost", ["resnet50"]),
    ("cost", ["mobilenet_v1", "mobilenet_v2", "resnet50"]),
    ("cost", MANY),
    ("grid", ["mobilenet_v2"]),
    ("grid", ["mobilenet_v1", "mobilenet_v2", "mobilenet_v3_large"]),
    ("layers", ["mobilenet_v1"]),
    ("layers", ["densenet201"]),
    ("memory", ["mobilenet_v2"]),
]


@cache
def drawn(kind: str, *names: str) -> Figure:
    """Return a chart of these networks, drawn once for all tests that only look at it."""
    with style.look():
        made = PLOTS[kind].draw([load(name) for name in names], Options())
        for _ in range(2):  # as when it is saved
            made.canvas.draw()
    return made


def published(family: str, series: str) -> list[dict[str, str]]:
    with (DATA / "accuracy.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row for row in rows if (row["family"], row["series"]) == (family, series)]


def heights_of(line: Line2D) -> list[float]:
    return [float(height) for height in np.asarray(line.get_ydata())]


def texts(made: Figure) -> Iterator[Text]:
    for text in made.findobj(Text):
        assert isinstance(text, Text)
        if text.get_visible() and text.get_text().strip():
            yield text


@pytest.fixture(scope="module", params=CHARTS, ids=lambda chart: f"{chart[0]}-{len(chart[1])}")
def chart(request: pytest.FixtureRequest) -> Figure:
    kind, names = request.param
    return drawn(kind, *names)


def test_text_is_large_enough_and_inside_the_figure(chart: Figure) -> None:
    page = chart.bbox.padded(1)
    assert chart.get_size_inches()[0] == 7.2
    for text in texts(chart):
        assert float(text.get_fontsize()) >= 7
    for part in (*chart.axes, *chart.legends, chart._supxlabel):  # type: ignore[attr-defined]
        box = part.get_tightbbox() if part in chart.axes else part.get_window_extent()
        if part.get_visible():
            assert page.contains(box.x0, box.y0)
            assert page.contains(box.x1, box.y1)


def test_names_on_axes_do_not_overlap(chart: Figure) -> None:
    for panel in filter(Artist.get_visible, chart.axes):
        for axis in (panel.xaxis, panel.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = [
                tick.label1.get_window_extent()
                for tick in axis.get_major_ticks()
                if low <= tick.get_loc() <= high and tick.label1.get_visible()
            ]
            assert not any(a.overlaps(b) for a, b in itertools.combinations(ticks, 2))


def test_every_point_of_many_networks_has_its_name_and_none_overlap() -> None:
    for panel in drawn("accuracy", *MANY).axes:
        notes = [each for each in panel.texts if isinstance(each, Annotation)]
        assert sorted(each.get_text() for each in notes) == sorted(MANY)
        boxes = []
        for note in notes:
            note.get_window_extent()
            boxes.append(Bbox(Text.get_window_extent(note)))
        assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
        inside = panel.get_window_extent()
        assert all(inside.contains(box.x0, box.y0) for box in boxes)
        assert all(inside.contains(box.x1, box.y1) for box in boxes)


def apart(box: Bbox, point: tuple[float, float]) -> float:
    """Return how far a point is from a box."""
    x, y = point
    return float(np.hypot(max(box.x0 - x, 0, x - box.x1), max(box.y0 - y, 0, y - box.y1)))


@pytest.mark.parametrize("kind", ["accuracy", "cost"])
def test_a_name_without_a_line_stands_at_its_own_point(kind: str) -> None:
    for panel in drawn(kind, *MANY).axes:
        notes = [note for note in panel.texts if isinstance(note, Annotation)]
        pixels = [tuple(panel.transData.transform(note.xy)) for note in notes]
        for note, own in zip(notes, pixels, strict=True):
            note.get_window_extent()
            box = Bbox(Text.get_window_extent(note))
            if note.arrow_patch is None:
                others = [apart(box, point) for point in pixels if point != own]
                assert apart(box, own) < min(others), note.get_text()


def caption(made: Figure) -> str:
    said: str = made._supxlabel.get_text()  # type: ignore[attr-defined]
    return said.replace("\n", " ")


def test_what_has_no_published_accuracy_is_named() -> None:
    said = "No accuracy is published for mobilenet_v1_cifar at these settings."
    for names in (["mobilenet_v1", "mobilenet_v1_cifar"], [*MANY, "mobilenet_v1_cifar"]):
        made = drawn("accuracy", *names)
        assert said in caption(made)
        assert "mobilenet_v1_cifar" not in {text.get_text() for text in made.axes[0].texts}


def test_costs_name_their_networks_and_tell_them_apart() -> None:
    assert caption(drawn("cost", "mobilenet_v2")).startswith("mobilenet_v2. ")
    names = "mobilenet_v1", "mobilenet_v2", "resnet50"
    made = drawn("cost", *names)
    assert caption(made).startswith("mobilenet_v1, mobilenet_v2, resnet50. ")
    keys = made.legends[0].legend_handles
    assert [str(key.get_label()) for key in keys if key] == [*names]
    looks = [
        (k.get_color(), k.get_linestyle(), k.get_marker()) for k in keys if isinstance(k, Line2D)
    ]
    for look in zip(*looks, strict=True):
        assert len(set(look)) == 3
    for name, look in zip(names, looks, strict=True):
        own = [line for line in made.axes[1].lines if line.get_color() == look[0]]
        assert [line.get_marker() for line in own] == [look[2]], name


def lightness(colour: object) -> float:
    return float(np.dot(to_rgb(colour), (0.2126, 0.7152, 0.0722)))  # type: ignore[arg-type]


@pytest.mark.parametrize("theme", sorted(themes.THEMES))
def test_light_is_large_in_every_chart(theme: str) -> None:
    made = plot.plot("mobilenet_v2", kind="cost", theme=theme)
    for panel in made.axes:
        tops = [(max(heights_of(line)), lightness(line.get_color())) for line in panel.lines]
        assert [light for _, light in sorted(tops)] == sorted(light for _, light in tops)
    legend = plot.plot("mobilenet_v1", theme=theme).legends[0]
    shown = [(str(k.get_label()), k) for k in legend.legend_handles if isinstance(k, Line2D)]
    alphas = [(float(label[2:]), lightness(k.get_color())) for label, k in shown if "α" in label]
    assert len(alphas) == 4
    assert [light for _, light in sorted(alphas)] == sorted(light for _, light in alphas)
    image = plot.plot("mobilenet_v1", kind="grid", theme=theme).axes[0].images[0]
    assert lightness(image.cmap(1.0)[:3]) > lightness(image.cmap(0.0)[:3])


def test_resolution_rises_to_the_right() -> None:
    panel = drawn("grid", "mobilenet_v2").axes[0]
    assert [label.get_text() for label in panel.get_xticklabels()] == [
        "96",
        "128",
        "160",
        "192",
        "224",
    ]
    labels = [
        str(key.get_label())
        for key in drawn("accuracy", "mobilenet_v1").legends[0].legend_handles
        if key
    ]
    sides = [int(label.removesuffix(" px")) for label in labels if label.endswith("px")]
    assert sides == sorted(sides)


def test_bars_keep_kinds_of_convolutions_apart() -> None:
    made = drawn("layers", "mobilenet_v1")
    labels = [str(key.get_label()) for key in made.legends[0].legend_handles if key]
    assert labels == ["full conv", "depthwise conv", "pointwise conv"]
    rows = load("mobilenet_v1").build().profile(scope="all").rows
    kernels = {"full conv": ("conv", (3, 3)), "depthwise conv": ("dwconv", (3, 3)),
               "pointwise conv": ("conv", (1, 1))}  # fmt: skip
    for bars, label in zip(made.axes[1].containers, labels, strict=True):
        counts = [row.cost for row in rows if (row.op, row.kernel) == kernels[label]]
        heights = [bar.get_height() for bar in bars]
        assert sum(heights) == pytest.approx(sum(counts) / 1e6)
        assert sum(height > 0 for height in heights) == len(counts)
    grouped = plot.plot("resnext50_32x4d", kind="layers").legends[0].legend_handles
    assert "grouped conv" in {str(key.get_label()) for key in grouped if key}


@pytest.mark.parametrize("by", ["layer", "block", "op"])
def test_bars_are_summed_up_as_a_table_is(by: str) -> None:
    made = plot.plot("mobilenet_v2", kind="layers", by=by, convention="thop")
    rows = table("mobilenet_v2", by=by, convention="thop", scope="all").rows
    names = [label.get_text() for label in made.axes[1].get_xticklabels()]
    costly = [row for row in rows if row.params or row.cost]
    assert names == [row.name for row in costly][:: -(-len(costly) // 48)]
    for panel, counts in zip(
        made.axes, ([row.params for row in costly], [row.cost for row in costly]), strict=True
    ):
        bars = np.sum([[bar.get_height() for bar in of] for of in panel.containers], axis=0)
        assert bars == pytest.approx(np.array(counts) / 1e6)
    assert "convention thop" in caption(made)


@hypothesis.settings(deadline=None)  # the first pictures take longest
@given(st.floats(1.0, 900.0), st.just(1.0) | st.floats(1.001, 5e4))
def test_an_axis_has_three_ticks_at_least(low: float, span: float) -> None:
    with style.look():
        panel = Figure().subplots()
        panel.plot([low, low * span], [1, 2], "o")
        style.log_axis(panel, "x", span)
        ticks = panel.xaxis.get_major_locator()()
        ends = panel.get_xlim()
    assert sum(ends[0] <= tick <= ends[1] for tick in ticks) >= 3


def test_one_point_has_no_front() -> None:
    made = plot.plot("mobilenet_v1", alphas=[0.5], sides=[160])
    for panel in made.axes:
        assert [len(heights_of(line)) for line in panel.lines] == [1]
    (front_key,) = [text.get_text() for text in made.axes[0].get_legend().get_texts()]  # type: ignore[union-attr]
    assert front_key == "mobilenet_v1"


def test_text_of_an_svg_is_text() -> None:
    found = ElementTree.fromstring(plot.draw(["mobilenet_v1"], "layers"))
    words = {part.text for part in found.iter("{http://www.w3.org/2000/svg}text")}
    assert {"Conv2d_0", "Conv2d_13_pointwise", "depthwise conv", "parameters (M)"} <= words


@pytest.mark.parametrize("kind", sorted(PLOTS))
def test_a_theme_is_of_every_chart(kind: str) -> None:
    what = MEASURED if kind == "predicted" else "mobilenet_v1"
    on: dict[str, Any] = {"device": "h200"} if kind == "roofline" else {}
    for theme, ground in (("light", 1.0), ("dark", 0.0), ("transparent", None)):
        made = plot.plot(what, kind=kind, theme=theme, **on)
        inks = [to_rgb(text.get_color()) for text in texts(made) if text.axes is None]
        if ground is None:
            assert made.get_facecolor()[-1] == 0
            assert all(0.4 <= lightness(ink) <= 0.6 for ink in inks)
        else:
            assert abs(lightness(made.get_facecolor()[:3]) - ground) < 0.1
            assert all(abs(lightness(ink) - ground) > 0.5 for ink in inks)


def test_a_transparent_picture_has_no_ground() -> None:
    for theme, opaque in (("light", 255), ("dark", 255), ("transparent", 0)):
        picture = Image.open(io.BytesIO(plot.draw(["mobilenet_v1"], "grid", "png", theme=theme)))
        assert picture.convert("RGBA").getpixel((0, 0))[3] == opaque  # type: ignore[index]


def test_knobs_of_a_chart_are_those_of_a_table(tmp_path: Path) -> None:
    run("plot", "mobilenet_v1", "--kind", "cost", "--set", "min_depth=64", "--convention", "thop",
        "--alpha", "0.25,0.5", "--res", "96,128", "-o", str(tmp_path / "a.svg"))  # fmt: skip
    made = plot.plot(
        "mobilenet_v1", kind="cost", alphas=[0.25, 0.5], sides=[96, 128], convention="thop",
        knobs={"min_depth": 64},
    )  # fmt: skip
    assert plot.draw(
        ["mobilenet_v1"], "cost", alphas=[0.25, 0.5], sides=[96, 128], convention="thop",
        knobs={"min_depth": 64},
    ) == (tmp_path / "a.svg").read_bytes()  # fmt: skip
    drawn_macs = sorted(height for line in made.axes[0].lines for height in heights_of(line))
    counted = sorted(
        table("mobilenet_v1", alpha=alpha, res=res, min_depth=64, convention="thop", scope="all")
        .total.cost / 1e6
        for alpha in (0.25, 0.5) for res in (96, 128)
    )  # fmt: skip
    assert drawn_macs == pytest.approx(counted)


def test_an_accuracy_is_of_the_network_that_is_set() -> None:
    wide = plot.plot("mobilenet_v2", knobs={"finegrain": True})
    shown = {float(str(key.get_label())[2:]) for key in wide.legends[0].legend_handles
             if key and "α" in str(key.get_label())}  # fmt: skip
    assert shown == {0.35, 0.5, 0.75}  # which were published so
    with pytest.raises(MbprofError, match="no accuracy is published for mobilenet_v1 at these"):
        plot.plot("mobilenet_v1", knobs={"min_depth": 64})


def test_accuracy_shows_every_published_cell_once_at_its_height() -> None:
    rows = published("MobileNetV1", "slim")
    assert len(rows) == 16
    for panel in drawn("accuracy", "mobilenet_v1").axes:
        dots = [line for line in panel.lines if len(heights_of(line)) == 1]
        heights = sorted(heights_of(line)[0] for line in dots)
        assert heights == sorted(float(row["top1"]) for row in rows)
    looks = {(line.get_marker(), line.get_color()) for line in dots}
    assert len(looks) == 16


def test_grid_holds_what_the_source_prints_cut_to_millions() -> None:
    (panel, _) = drawn("grid", "mobilenet_v2").axes
    shown = {text.get_position(): float(text.get_text()) for text in panel.texts}
    sides = [label.get_text() for label in panel.get_xticklabels()]
    alphas = [float(label.get_text()) for label in panel.get_yticklabels()]
    rows = published("MobileNetV2", "slim")
    assert len(rows) == 22
    for row in rows:
        place = (sides.index(row["resolution"]), alphas.index(float(row["alpha"])))
        # Three digits stand in a cell, and the source cuts its millions off.
        assert float(row["macs_millions"]) <= shown[place] + 0.5 < float(row["macs_millions"]) + 2


def test_layers_add_up_to_the_published_total() -> None:
    above, below = drawn("layers", "mobilenet_v1").axes
    bars = [
        sum(bar.get_height() for bar in panel.patches if isinstance(bar, Rectangle))
        for panel in (above, below)
    ]
    # 3,185,088 and 567,716,352 of the body's published table, and 1024 x 1000 of the classifier.
    assert bars == pytest.approx([3.185088 + 1.024, 567.716352 + 1.024])


def test_long_names_of_layers_are_thinned_out() -> None:
    _, below = drawn("layers", "densenet201").axes
    labels = [label.get_text() for label in below.get_xticklabels()]
    assert len(labels) <= 48
    assert max(map(len, labels)) <= 26
    assert below.get_xlabel() == "block (one name in 3 is shown)"


def test_params_do_not_depend_on_the_resolution_and_show_as_one_line() -> None:
    _, _, over_alpha, over_res = drawn("cost", "mobilenet_v2").axes
    assert len(over_alpha.lines) == 1
    assert all(len(set(heights_of(line))) == 1 for line in over_res.lines)


@pytest.mark.parametrize("kind", sorted(PLOTS))
def test_the_same_chart_is_the_same_bytes(kind: str) -> None:
    specs = [MEASURED if kind == "predicted" else load("mobilenet_v1")]
    for ending in plot.CHARTS:
        on = {"device": "h200"} if kind == "roofline" else {}
        first, second = (plot.draw(specs, kind, ending, **on) for _ in range(2))
        assert first == second
        # A date in any usual spelling.
        assert not re.search(rb"20\d\d-\d\d-\d\d|D:20\d\d|tIME", first)


def test_the_ending_of_the_file_chooses_the_format(tmp_path: Path) -> None:
    for name, magic in (("a.svg", b"<?xml"), ("a.png", b"\x89PNG"), ("a.PDF", b"%PDF")):
        plot.write(tmp_path / name, [load("mobilenet_v1")], "grid")
        assert (tmp_path / name).read_bytes().startswith(magic)


def test_asked_for_widths_and_resolutions_are_drawn() -> None:
    with style.look():
        made = PLOTS["grid"].draw([load("mobilenet_v1")], Options((0.75, 1.0), (128, 224)))
    numbers = [text.get_text() for text in made.axes[0].texts]
    assert len(numbers) == 4
    # 106,002,432 of the published table and 768 x 1000 of the classifier.
    assert numbers[2] == "107"  # below α 1, at the lower resolution


top1s = st.floats(1, 99)
some = st.lists(
    st.builds(
        lambda params, macs, top1: Point("x", None, (8, 8), params, macs, top1),
        st.integers(1, 9),
        st.integers(1, 9),
        top1s,
    ),
    max_size=12,
)


@given(some)
def test_the_front_is_what_nothing_beats(found: list[Point]) -> None:
    kept = front(found)

    def beaten(point: Point) -> bool:
        return any(
            (other.macs <= point.macs and (other.top1 or 0) > (point.top1 or 0))
            or (other.macs < point.macs and (other.top1 or 0) >= (point.top1 or 0))
            for other in found
        )

    assert sorted(kept) == sorted(point for point in found if not beaten(point))
    assert [point.macs for point in kept] == sorted(point.macs for point in kept)


def test_a_series_is_of_one_source() -> None:
    for name in (
        "mobilenet_v1",
        "mobilenet_v2",
        "mobilenet_v3_large",
        "resnet50",
        "mobilenet_v1@keras",
    ):
        assert len({each.source for each in points(load(name))}) == 1
    assert len(points(load("mobilenet_v2"))) == 22


def test_a_preset_does_not_score_what_a_wider_network_did() -> None:
    # The paper has one size; its accuracy was set beside the costs of half the width.
    half = load("mobilenet_v4_conv_small_050")
    scored = [(point.alpha, point.top1) for point in sweep(half) if point.top1 is not None]
    assert scored == [(1.0, 73.8)]


def test_what_a_flavour_does_not_make_is_left_out_of_the_series() -> None:
    own, other = (
        {(point.alpha, point.knobs) for point in points(load(name))}
        for name in ("shufflenet_v1", "shufflenet_v1@pytorchcv")
    )
    assert len(own) == 12
    assert own - other == {(0.5, (("groups", 8),))}


def test_best_is_of_the_same_network_at_the_same_size() -> None:
    half = best(load("mobilenet_v4_conv_small_050"))
    assert (half.alpha, half.res, half.top1) == (0.5, (224, 224), 64.778)
    assert best(load("mobilenet_v1_cifar")).top1 is None


def test_a_width_is_counted_as_it_was_published_at_every_resolution() -> None:
    # The released narrow networks keep the width of their last layer (finegrain).
    found = {(each.alpha, each.res[0]): each for each in sweep(load("mobilenet_v2"))}
    assert {found[0.5, side].params for side in (224, 192, 160, 128, 96)} == {
        found[0.5, 224].params
    }
    assert settings([found[0.5, 224]]) == (
        "With finegrain true, as published: mobilenet_v2 α\N{NO-BREAK SPACE}0.5."
    )


ERRORS = [
    (
        (["mobilenet_v1"], "pie", "svg"),
        "error[usage]: unknown kind of chart 'pie'\n  hint: known are accuracy, cost, grid, "
        "layers, memory, roofline, predicted",
    ),
    (
        (["mobilenet_v1"], "grid", "gif"),
        "error[usage]: unknown format 'gif'\n  hint: known are svg, png, pdf",
    ),
    (([], "grid", "svg"), "error[usage]: a chart needs at least one spec"),
    (
        (["resnet50"], "grid", "svg"),
        "error[usage]: resnet50 has no width multiplier\n  hint: --kind cost needs no second axis",
    ),
    (
        (["mobilenet_v1", "mobilenet_v2"], "layers", "svg"),
        "error[usage]: --kind layers draws one network, 2 are given",
    ),
    (
        (MANY[:5], "grid", "svg"),
        "error[usage]: --kind grid draws at most 4 networks, 5 are given",
    ),
    (
        (["mobilenet_v1_cifar", "unet"], "accuracy", "svg"),
        "error[usage]: no accuracy is published for mobilenet_v1_cifar or unet at these settings\n"
        "  hint: --kind cost draws what it costs",
    ),
    (
        (["mobilenet_v1_cifar"], "accuracy", "svg"),
        "error[usage]: no accuracy is published for mobilenet_v1_cifar at these settings\n"
        "  hint: --kind cost draws what it costs",
    ),
]


@pytest.mark.parametrize(("asked", "message"), ERRORS)
def test_what_cannot_be_drawn_is_said(asked: tuple[list[str], str, str], message: str) -> None:
    names, kind, ending = asked
    with pytest.raises(MbprofError) as caught:
        plot.draw([load(name) for name in names], kind, ending)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"kind": "memory", "convention": "thop"},
            "error[usage]: --kind memory has no convention\n"
            "  hint: --kind accuracy, cost, grid or layers has one",
        ),
        (
            {"kind": "cost", "by": "block"},
            "error[usage]: --kind cost has no by\n  hint: --kind layers has one",
        ),
        (
            {"kind": "layers", "by": "stage"},
            "error[usage]: cannot group by 'stage'\n  hint: known are layer, block, op",
        ),
        (
            {"kind": "grid", "theme": "blue"},
            "error[usage]: unknown theme 'blue'\n  hint: known are light, dark, transparent",
        ),
        (
            {"kind": "grid", "convention": "keras"},
            "error[usage]: convention keras counts no cost, which this chart shows\n"
            "  hint: mbprof table shows its params",
        ),
        (
            {"kind": "grid", "knobs": {"mindepth": 4}},
            "error[knob]: mobilenet_v1 has no knob 'mindepth'\n  hint: did you mean 'min_depth'?",
        ),
    ],
)
def test_what_a_chart_does_not_take_is_said(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(MbprofError) as caught:
        plot.plot("mobilenet_v1", **settings)
    assert str(caught.value) == message


def test_widths_of_a_network_without_any_are_refused() -> None:
    for kind in ("cost", "layers"):
        with pytest.raises(MbprofError) as caught:
            plot.draw([load("resnet50")], kind, alphas=(0.5,))
    expected = "error[usage]: resnet50 has no width multiplier\n  hint: leave out --alpha"
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,,2", "res has an empty value in '1,,2'"),
        ("a", "res is a; it must be a whole number"),
        ("0", "res is 0; it must be above 0"),
        ("nan", "res is nan; it must be finite"),
        ("1.5", "res is 1.5; it must be a whole number"),
        ("9:1:1", "res: the range 9:1:1 runs backwards"),
    ],
)
def test_values_of_an_option_are_checked(text: str, message: str) -> None:
    with pytest.raises(MbprofError) as caught:
        values_of("res", text, "int")
    assert caught.value.message == message
    assert str(caught.value).startswith("command line:1:7: error[knob]: ")


def test_values_of_an_option_are_those_of_a_sweep() -> None:
    assert values_of("res", "224,96:160:32", "int") == (224, 96, 128, 160)
    assert values_of("alpha", "1,0.25:0.75:0.25", "number") == (1.0, 0.25, 0.5, 0.75)
    assert values_of("res", None, "int") == ()


def test_files_that_cannot_be_written_are_said(tmp_path: Path) -> None:
    specs = [load("mobilenet_v1")]
    with pytest.raises(MbprofError, match="there is no folder"):
        plot.write(tmp_path / "none" / "a.svg", specs, "grid")
    with pytest.raises(
        MbprofError, match=r"has no ending of a format\n  hint: end it in \.svg, \.png or \.pdf"
    ):
        plot.write(tmp_path / "a", specs, "grid")
    (tmp_path / "a.svg").mkdir()
    with pytest.raises(MbprofError, match="it is a directory"):
        plot.write(tmp_path / "a.svg", specs, "grid")
    assert [path.name for path in tmp_path.iterdir()] == ["a.svg"]


def test_matplotlib_is_loaded_only_to_draw() -> None:
    modules = loaded("import mbprof.pages.plot, mbprof.pages.dossier")
    assert "mbprof.pages.dossier" in modules
    assert "matplotlib" not in modules


def test_a_roofline_has_layers_below_the_roof() -> None:
    panel = plot.plot("mobilenet_v1", kind="roofline", device="h200").axes[0]
    roof, *bounds = (np.asarray(line.get_ydata()) for line in panel.lines)
    macs = [row for row in load("mobilenet_v1").build().profile(scope="all").rows if row.cost]
    assert sum(map(len, bounds)) == len(macs)
    assert max(map(np.max, bounds)) <= np.max(roof) == 494.5
    for name, said in ((None, "needs a device"), ("pixel_1", "has no peak and one bandwidth")):
        with pytest.raises(MbprofError, match=said):
            plot.plot("mobilenet_v1", kind="roofline", device=name)


def test_accuracy_stands_against_what_networks_need_on_a_device() -> None:
    found = plot.plot("mobilenet_v1", dtype="int8", device="stm32f746").axes
    labels = [panel.get_xlabel() for panel in found[:2]]
    assert labels == ["nanoseconds on stm32f746 (G)", "live bytes at the peak, int8 (M)"]
    widest = load("mobilenet_v1").build()
    needed = (
        mbprof.latency(widest, "stm32f746", dtype="int8").seconds,
        mbprof.memory(widest, dtype="int8").peak_bytes / 1e6,
    )
    for panel, most in zip(found, needed, strict=False):
        shown = [value for line in panel.lines for value in np.asarray(line.get_xdata())]
        assert max(shown) == pytest.approx(most, rel=1e-6)
    options: tuple[dict[str, Any], ...] = ({}, {"device": "stm32f746"})
    for more in options:
        several = plot.plot(*MANY[:5], dtype="int8", **more).axes
        assert several[-1].get_xlabel().startswith("live bytes" if more else "multiply")


@pytest.mark.parametrize("kind", ["cost", "grid", "layers", "predicted"])
def test_a_chart_that_has_no_device_says_so(kind: str) -> None:
    for name, value in (("dtype", "int8"), ("device", "h200")):
        with pytest.raises(MbprofError, match=f"--kind {kind} has no {name}"):
            plot.plot("mobilenet_v1", kind=kind, **{name: value})  # type: ignore[arg-type]


def test_predicted_times_stand_against_measured_ones() -> None:
    panel = plot.plot(MEASURED, kind="predicted").axes[0]
    found = calibrate(MEASURED)
    ends, shown = panel.lines
    assert list(np.asarray(shown.get_xdata())) == [m.seconds * 1e3 for m in found.measurements]
    assert list(np.asarray(shown.get_ydata())) == [s * 1e3 for s in found.predicted]
    assert list(np.asarray(ends.get_xdata())) == list(np.asarray(ends.get_ydata()))
    with pytest.raises(MbprofError, match="draws one file, 2 are given"):
        plot.plot(MEASURED, MEASURED, kind="predicted")
    with pytest.raises(MbprofError, match="cannot read nowhere"):
        plot.plot("nowhere.csv", kind="predicted")


def test_every_kind_says_what_it_shows() -> None:
    assert plot.kinds() == {name: kind.doc for name, kind in PLOTS.items()}
    rooms = {kinds.__name__, device.__name__, layers.__name__}
    assert {kind.draw.__module__ for kind in PLOTS.values()} == rooms
