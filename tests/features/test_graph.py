"""Graphs show every layer and its cost, harmlessly; a page computes what mbprof computes."""

import itertools
import json
import re
import shutil
import subprocess
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import mbprof
from mbprof.errors import MbprofError
from mbprof.formulas import formula
from mbprof.formulas.script import javascript
from mbprof.pages.graph.layout import Layout, laid_out
from mbprof.spec import zoo
from tests.conftest import LONGEST, invoke, network, profile, run

SVG = "{http://www.w3.org/2000/svg}"
SHAPES = ["mobilenet_v1", "resnet50", "inception_v3", "densenet121", "unet", "swin", "hrnet_w18"]
NODE, CHROMIUM = shutil.which("node"), shutil.which("chromium")
with_node = pytest.mark.skipif(NODE is None, reason="needs node")
HOSTILE = """\
name: "</title><script>alert(1)</script>"
doc: "<img src=x onerror=alert(1)> ]]>"
input: {res: 8}
body:
  - {op: conv, k: 3, c: 4, name: "</script><b>\\"'&amp;"}
  - {op: conv, k: 3, c: 4, name: "a\\u202eb\\u0007\\ufffe\\n::error::"}
"""


def boxes_of(text: str) -> list[tuple[list[int], list[str]]]:
    """Return the layers and lines of every box of an SVG."""
    root = ElementTree.fromstring(text)
    return [
        (
            [int(layer) for layer in (group.get("data-layers") or "").split()],
            [part.text or "" for part in group.iter(f"{SVG}text")],
        )
        for group in root.iter(f"{SVG}g")
        if group.get("class") == "box"
    ]


def amounts(lines: list[str], unit: str) -> int:
    found = re.findall(rf"([\d,]+) {unit}", lines[-1])
    return int(found[0].replace(",", "")) if found else 0


@pytest.mark.parametrize("by", ["block", "layer"])
@pytest.mark.parametrize("name", SHAPES)
def test_every_layer_is_in_one_box_and_their_costs_add_up(name: str, by: str) -> None:
    built = network(name)
    found = boxes_of(str(mbprof.graph(built, by=by, scope="all")))
    layers = [layer for numbers, _ in found for layer in numbers]
    assert layers == list(range(len(profile(name, "all").rows)))
    total = profile(name, "all").total
    assert sum(amounts(lines, "params") for _, lines in found) == total.params
    assert sum(amounts(lines, "MACs") for _, lines in found) == total.cost
    if by == "block":
        assert len(found) < len(layers)


def crossing(found: Layout) -> list[tuple[int, int]]:
    """Return the pairs of boxes that overlap."""
    return [
        (a, b)
        for (a, p), (b, q) in itertools.combinations(enumerate(found.places), 2)
        if p.x < q.x + q.width and q.x < p.x + p.width
        and p.y < q.y + q.height and q.y < p.y + p.height
    ]  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_boxes_do_not_overlap_and_edges_run_down_around_them(name: str) -> None:
    drawn = [costed.box for costed in mbprof.graph(network(name), by="layer").boxes()]
    found = laid_out([(9.0 * len(box.name), 50.0) for box in drawn], [b.sources for b in drawn])
    assert crossing(found) == []
    for box in drawn:
        for source in box.sources:
            above = found.places[source]
            assert above.y + above.height < found.places[box.number].y
    for hop in found.hops:
        assert hop.start[1] <= hop.end[1]
    inside = [p.x >= 0 and p.x + p.width <= found.width + 1e-6 for p in found.places]
    assert all(inside)


def test_what_passes_a_layer_runs_straight_beside_its_boxes() -> None:
    found = laid_out([(100, 20), (100, 20), (100, 20)], [(), (0,), (0, 1)])
    passing = [hop for hop in found.hops if hop.start[0] == hop.end[0] and not hop.arrives]
    (straight,) = [hop for hop in passing if hop.start[1] == found.places[1].y]
    assert straight.start[0] > found.places[1].x + 100


@pytest.mark.parametrize("theme", ["auto", "light", "dark", "transparent"])
def test_a_theme_is_the_colours_of_a_graph(theme: str) -> None:
    text = str(mbprof.graph("mobilenet_v1", theme=theme))
    assert ("prefers-color-scheme" in text) == (theme == "auto")
    assert (".ground { fill: none; }" in text) == (theme == "transparent")
    assert ("#131518" in text) == (theme in ("auto", "dark"))


def test_what_others_draw_says_the_costs() -> None:
    dot, mermaid = (run("graph", "mobilenet_v1", "--format", f) for f in ("dot", "mermaid"))
    assert (
        'n1 [label="Conv2d_0\\nconv bn relu6\\n32×112×112\\n864 params · 10,838,016 MACs"]' in dot
    )
    assert (
        'n1["Conv2d_0<br>conv bn relu6<br>32×112×112<br>864 params · 10,838,016 MACs"]' in mermaid
    )
    assert len(re.findall(r"^  n\d+ --> n\d+$", mermaid, re.M)) == len(boxes_of(
        run("graph", "mobilenet_v1")
    )) - 1  # fmt: skip


def test_a_convention_without_a_cost_shows_params() -> None:
    found = mbprof.graph("mobilenet_v1", convention="keras")
    assert "MACs" not in str(found)
    page = str(mbprof.graph("mobilenet_v1", format="html", convention="keras"))
    assert page.count("<th ") == 6
    assert f'<strong id="params">{found.profile.total.params:,}</strong> params' in page


def test_a_notebook_shows_a_picture_or_a_frame_that_runs_apart() -> None:
    found = mbprof.graph("mobilenet_v1")
    assert found._repr_mimebundle_()["image/svg+xml"] == str(found)
    framed = mbprof.graph("mobilenet_v1", format="html")._repr_mimebundle_()["text/html"]
    assert framed.startswith('<iframe sandbox="allow-scripts" srcdoc="&lt;!doctype html')
    assert "<script" not in framed
    total = "3,185,088 params, 567,716,352 MACs"
    assert repr(found) == f"<Drawing mobilenet_v1, alpha 1.0, res 224: {total}, svg by block>"


# The page


def page(name: str, **settings: Any) -> str:
    return str(mbprof.graph(name, format="html", **settings))


def data_of(text: str) -> dict[str, Any]:
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    return dict(json.loads(found))


@pytest.mark.parametrize("name", ["mobilenet_v1", "mobilenet_v3_large", "swin", "densenet201"])
def test_a_page_is_whole_and_asks_nobody(name: str) -> None:
    text = page(name)
    assert len(text.encode()) <= 1_000_000
    assert set(re.findall(r"\w+://[^\s\"'<]+", text)) <= {"http://www.w3.org/2000/svg"}
    tags = re.findall(
        r"<[a-z][^>]*>", re.sub(r"<(script|style)[^>]*>.*?</\1>", "", text, flags=re.S)
    )
    assert not any(re.search(r"\s(on\w+|style|src|href)=", tag) for tag in tags)
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    allowed = dict(part.split(" ", 1) for part in policy.replace("&#x27;", "'").split("; "))
    assert allowed.pop("default-src") == "'none'"
    for kind, tag in (("style-src", "style"), ("script-src", "script")):
        (body,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.S)
        digest = b64encode(sha256(body.encode()).digest()).decode()
        assert allowed.pop(kind) == f"'sha256-{digest}'"
    assert allowed == {"base-uri": "'none'", "form-action": "'none'"}


def computed(program: str, values: list[list[str]]) -> list[dict[str, Any]]:
    """Run a formula's program in node at values, written in JavaScript."""
    assert NODE is not None
    listed = ", ".join(f"[{', '.join(row)}]" for row in values)
    asked = f"console.log(JSON.stringify([{listed}].map((v) => evaluate(formula, v)),"
    asked += " (_, v) => typeof v === 'bigint' ? `${v}` : v));"
    ended = subprocess.run(
        [NODE, "-"], input=f"{program}\n{asked}", capture_output=True, text=True, timeout=LONGEST
    )
    assert ended.returncode == 0, ended.stderr
    return list(json.loads(ended.stdout))


def written(value: float) -> str:
    return f"{value}n" if isinstance(value, int) else repr(value)


GRID = [
    ("mobilenet_v1", "kernels"),
    ("mobilenet_v2", "kernels"),
    ("mobilenet_v3_large", "kernels"),
    ("mobilenet_v2@torchvision", "fvcore"),
    ("inception_v3", "thop"),
    ("resnet50", "ptflops"),
    ("unet", "kernels"),
    ("swin", "kernels"),
]


@with_node
@pytest.mark.parametrize(("name", "convention"), GRID)
def test_a_page_computes_what_a_build_counts(name: str, convention: str) -> None:
    found, spec = formula(name, convention=convention), mbprof.load(name)
    alphas = (0.25, 0.35, 0.75, 0.999, 1.0, 1.3) if len(found.symbols) == 3 else (1.0,)
    usual = found.symbols[-1].value
    pairs = [*itertools.product((96, 128, 131, 299), (128, 131)), (usual, usual), (usual, 188)]
    grid = [
        (*((alpha,) if len(found.symbols) == 3 else ()), *pair)
        for alpha, pair in itertools.product(alphas, pairs)
    ]
    held = 0
    answers = computed(javascript(found), [[*map(written, values)] for values in grid])
    for values, answer in zip(grid, answers, strict=True):
        known = dict(zip((symbol.name for symbol in found.symbols), values, strict=True))
        if "total" not in answer:
            with pytest.raises(MbprofError):
                found.evaluate(**known)
            continue
        held += 1
        size = known.pop("H"), known.pop("W")
        counted = spec.build(res=size, **known).profile(convention)
        assert [int(n) for n in answer["total"]] == [counted.total.params, counted.total.cost]
        by_name = {line.name: pair for line, pair in zip(found.lines, answer["lines"], strict=True)}
        for row in counted.rows:
            pair = by_name.get(row.name, (0, 0))
            assert [int(n) for n in pair] == [row.params, row.cost]
    assert held


@with_node
@pytest.mark.long
def test_every_formula_of_the_zoo_is_the_same_in_javascript() -> None:
    for name in zoo.spec_names()[::7]:
        found = formula(name)
        at = [[written(symbol.value) for symbol in found.symbols]]
        (answer,) = computed(javascript(found), at)
        known = found.evaluate()
        assert [int(n) for n in answer["total"]] == [known.params, known.cost]
        assert [[*map(int, pair)] for pair in answer["lines"]] == [[*c[1:]] for c in known.lines]


@with_node
def test_numbers_are_rounded_in_javascript_as_in_python() -> None:
    spec = mbprof.loads(
        """{name: n, input: {res: 8}, knobs: {alpha: {default: 1.0, above: 0}}, body: [
        {op: conv, k: 1, c: round(alpha * 9)}, {op: conv, k: 1, c: ceil(alpha / 3) + 1},
        {op: conv, k: 1, c: "divisible(alpha * 33, 8, 16)"},
        {op: conv, k: 1, c: "int(alpha * 7 + 2)"},
        {op: conv, k: 1, c: "max(int(alpha * 3), min(5, int(alpha * 40)))"}]}"""
    )
    found = formula(spec)
    alphas = [n / 36 for n in range(1, 200)] + [1e-9, 0.1 + 0.2, 99.99999999999999, 1 / 3]
    values = [(alpha, h, 7) for alpha in alphas for h in (1, 32_768)]
    answers = computed(javascript(found), [[*map(written, row)] for row in values])
    held = 0
    for (alpha, h, w), answer in zip(values, answers, strict=True):
        try:
            known = found.evaluate(alpha=alpha, H=h, W=w)
        except MbprofError:
            assert "total" not in answer
            continue
        held += 1
        assert [int(n) for n in answer["total"]] == [known.params, known.cost]
    assert held > 300


@with_node
def test_the_published_total_stands_at_its_knobs() -> None:
    found = formula("mobilenet_v1")
    (answer, out) = computed(javascript(found), [["0.75", "128n", "128n"], ["0.75", "0n", "1n"]])
    assert answer["total"] == ["1800144", "106002432"]
    assert out == {"condition": 1}
    text = page("mobilenet_v1")
    assert data_of(text)["conditions"][1] == "1 ≤ H ≤ 32768"
    program = javascript(found)
    assert f"<script>{program}\n" in text


def test_a_page_starts_at_the_knobs_that_are_given() -> None:
    text = page("mobilenet_v1", alpha=0.75, res=128)
    assert '<strong id="params">1,800,144</strong> params' in text
    assert '<strong id="cost">106,002,432</strong> MACs' in text
    assert [symbol["value"] for symbol in data_of(text)["symbols"]] == [0.75, 128, 128]


def test_lines_of_a_page_are_the_rows_of_its_table() -> None:
    for name in ("mobilenet_v3_large", "resnet50", "swin"):
        rows, lines = profile(name).rows, data_of(page(name))["lines"]
        costly = [number for number, row in enumerate(rows) if row.params or row.cost]
        assert lines == costly


@pytest.mark.parametrize(
    ("width", "why"),
    [
        (
            "4 if in.h == 8 and in.w == 8 else in.h + in.w",
            "there is no closed formula; each width and each size of it makes another network.",
        ),
        (
            "int(8 * pow(alpha, 1.5))",
            "its formula has pow, which browsers round in ways of their own.",
        ),
    ],
)  # fmt: skip
def test_a_page_without_sliders_says_why(width: str, why: str, tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    knobs = "knobs: {alpha: {default: 1.0, above: 0}}, " if "alpha" in width else ""
    body = "body: [{op: conv, k: 3, c: 4}, {op: conv, k: 3, c: '" + width + "'}]"
    file.write_text(f"{{name: n, input: {{res: 8}}, {knobs}{body}}}")
    text = page(str(file))
    assert f'<p class="quiet">No sliders: {why}</p>' in text
    assert "<input" not in text
    assert data_of(text)["symbols"] == []


@pytest.mark.parametrize("format", ["svg", "html", "dot", "mermaid"])
def test_a_name_is_text_in_every_drawing(format: str) -> None:
    text = str(mbprof.graph(mbprof.loads(HOSTILE).build(), format=format))
    assert ("<script>alert" in text) == (format == "dot")  # which has no markup in quotes
    assert "<img" not in text
    assert not re.search("[\x07\u202e\ufffe]", text)
    if format == "svg":
        names = [lines[0] for _, lines in boxes_of(text)]
        assert "</script><b>\"'&amp;" in names
    if format == "html":
        assert text.count("<script") == text.count("</script>") == 2


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
@pytest.mark.long
def test_a_browser_runs_the_page_under_its_own_policy(tmp_path: Path) -> None:
    assert CHROMIUM is not None
    file = tmp_path / "page.html"
    run("graph", "mobilenet_v1", "-o", str(file))
    text = file.read_text(encoding="utf-8")
    (body,) = re.findall(r"<script>(.*?)</script>", text, re.S)
    old, new = (b64encode(sha256(b.encode()).digest()).decode() for b in (body, body + DRIVER))
    # The policy stays, but for what the page's own program is.
    assert old in text
    file.write_text(text.replace(body, body + DRIVER).replace(old, new), encoding="utf-8")
    ended = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/own",
         "--dump-dom", file.as_uri()],
        capture_output=True, text=True, timeout=LONGEST,
    )  # fmt: skip
    (found,) = re.findall(r'<pre id="seen">(.*?)</pre>', ended.stdout)
    assert json.loads(found) == {
        "hidden": False,
        "totals": ["1,800,144", "106,002,432"],
        "first": ["Conv2d_0", "648", "2,654,208"],
        "box": "648 params · 2,654,208 MACs",
        "moved": "Computed here, by mbprof's formula. Shapes are those of alpha 1.0, res 224.",
        "wrong": "Out of range: the formula does not hold here; it needs 0 &lt; α ≤ 100.",
        "stale": True,
        "typed": "height has to be a whole number.",
        "back": ["3,185,088", "567,716,352"],
        "largest": "Conv2d_13_pointwise",
        "marked": ["Conv2d_0"],
        "next": "Conv2d_1",
        "graphs": [True, False],
    }


DRIVER = """
{
  const seen = {}, text = (query) => document.querySelector(query).textContent;
  const totals = () => [text("#params"), text("#cost")];
  const type = (i, value) => {
    $(`box${i}`).value = value;
    $(`box${i}`).dispatchEvent(new Event("input"));
  };
  seen.hidden = $("knobs").hidden;
  type(0, "0.75");
  type(1, "128");
  seen.totals = totals();
  seen.first = [".name", ".params", ".cost"].map((of) => text(`tbody tr ${of}`));
  seen.box = boxes[0].querySelector(".cost").textContent;
  seen.moved = text("#said");
  type(0, "0");
  [seen.wrong, seen.stale] = [text("#said"), document.body.classList.contains("stale")];
  type(0, "1");
  type(1, "1.5");
  seen.typed = text("#said");
  $("reset").click();
  seen.back = totals();
  document.querySelectorAll("thead button")[4].click();
  seen.largest = text("tbody tr .name");
  boxes[0].focus();
  boxes[0].dispatchEvent(new Event("pointerenter"));  // a page without a window has no focus
  seen.marked = [...document.querySelectorAll("tr.marked .name")].map((cell) => cell.textContent);
  const key = { key: "ArrowDown", bubbles: true, cancelable: true };
  document.activeElement.dispatchEvent(new KeyboardEvent("keydown", key));
  seen.next = document.activeElement.querySelector("text").textContent;
  document.querySelectorAll(".choice button")[1].click();
  const graphs = [...document.querySelectorAll("svg.graph")];
  seen.graphs = graphs.map((graph) => graph.hasAttribute("hidden"));
  const shown = document.createElement("pre");
  shown.id = "seen";
  shown.textContent = JSON.stringify(seen);
  document.body.append(shown);
}
"""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--by", "op"],
            "error[usage]: unknown grouping 'op'\n  hint: known are block, layer\n",
        ),
        (
            ["--theme", "blue"],
            "error[usage]: unknown theme 'blue'\n"
            "  hint: known are auto, light, dark, transparent\n",
        ),
        (
            ["--format", "gif"],
            "error[usage]: unknown format 'gif'\n  hint: known are svg, html, dot, mermaid\n",
        ),
        (
            ["-o", "a.pdf"],
            "error[usage]: a.pdf: pdf is a format of mbprof plot\n"
            "  hint: known are svg, html, dot, mermaid\n",
        ),
    ],
)
def test_what_cannot_be_drawn_is_said(arguments: list[str], said: str) -> None:
    ended = invoke("graph", "mobilenet_v1", *arguments)
    assert (ended.err, ended.out, ended.status) == (said, "", 2)


def test_a_page_that_is_too_large_is_said_and_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mbprof.pages.graph.page.MOST", 60_000)
    assert page("mobilenet_v1").count("<svg ") == 1
    monkeypatch.setattr("mbprof.pages.graph.page.MOST", 10_000)
    ended = invoke("graph", "mobilenet_v1", "-o", str(tmp_path / "a.html"))
    assert re.fullmatch(
        r"error\[limit\]: the page of mobilenet_v1 would have [\d,]+ bytes; at most 10,000\n"
        r"    are made\n  hint: --format svg draws it\n",
        ended.err,
    )
    assert list(tmp_path.iterdir()) == []
