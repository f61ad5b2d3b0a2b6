"""What extends another spec states what differs; what is stated again is merged."""

from pathlib import Path

import jsonschema
import pytest
import yaml

import mbprof
from mbprof.errors import SpecError
from mbprof.spec import zoo
from mbprof.spec.schema import schema
from tests.conftest import ROOT, invoke

BASE = """\
name: base
input: {channels: 3, res: 32}
knobs: {kind: {default: wide, one_of: [wide, slim]}}
defaults: {conv: {act: relu}, linear: {bias: true}}
accept: {MB201: the widths are those of the example}
calls: {bn: Base}
blocks:
  wide: {takes: {c: int, k: 3}, body: [{op: conv, k: k, c: c, bn: true}]}
  slim: {takes: {c: int, k: 1}, body: [{op: conv, k: k, c: c, bn: true}]}
body:
  - {op: conv, k: 3, c: 12}
  - {op: $kind, c: 12}
presets: {base_slim: {kind: slim, res: 16}}
flavours:
  lib: {padding: torch, calls: {bn: Lib, relu: F.relu}, blocks: {wide: {takes: {k: 5}}}}
  other: {like: lib, calls: {relu: nn.Own}}
"""


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("base.yaml").write_text(BASE)
    return tmp_path


def calls(name: str) -> dict[str, str]:
    return {node.op.word: node.call for node in mbprof.load(name).build().compiled.nodes}


def test_a_flavour_that_is_stated_again_keeps_what_it_does_not_state(base: Path) -> None:
    child = "{name: child, extend: base.yaml, flavours: {lib: {calls: {bn: Child}}}}"
    (base / "child.yaml").write_text(child)
    assert calls("child.yaml@lib") == {"conv": "nn.Conv2d", "bn": "Child", "act": "F.relu"}
    assert calls("child.yaml@other")["act"] == "nn.Own"
    assert mbprof.load("child.yaml@lib").definition.padding == "torch"


def test_the_arguments_of_a_block_are_merged(base: Path) -> None:
    nodes = mbprof.load("base.yaml@lib").build().compiled.nodes
    kernels = [node.op.geometry(node.in_shapes).kernel for node in nodes if node.op.multiplies]
    assert kernels == [(3, 3), (5, 5)]


def test_a_spec_extends_a_preset_and_a_flavour_of_the_zoo_and_of_a_file(base: Path) -> None:
    def total(name: str) -> tuple[int, int]:
        found = mbprof.load(name).build(classes=1000).profile("trainable", "all").total
        return found.params, found.cost

    for text in ("resnet50", "mobilenet_v2@torchvision", "resnet18@slim", "efficientnet_b1@timm"):
        (base / "child.yaml").write_text(f"{{name: child, extend: {text}}}")
        assert total("child.yaml") == total(text)
    (base / "child.yaml").write_text("{name: child, extend: base.yaml@lib}")
    child = mbprof.load("child.yaml")
    assert calls("child.yaml") == calls("base.yaml@lib")
    assert child.definition.flavours == {}


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("resnet5O", "did you mean 'resnet50'?"),
        ("resnet50@torchvison", "did you mean 'torchvision'?"),
        ("base.yaml@lob", "did you mean 'lib'?"),
        ("bose.yaml@lib", "did you mean 'base.yaml'?"),
    ],
)
def test_what_is_extended_is_named_where_it_is_near(base: Path, text: str, hint: str) -> None:
    (base / "child.yaml").write_text(f"name: child\nextend: {text}\n")
    with pytest.raises(SpecError) as raised:
        mbprof.load("child.yaml").build()
    assert (raised.value.hint, raised.value.loc and raised.value.loc.line) == (hint, 2)


def test_what_none_takes_away_fits_the_schema(base: Path) -> None:
    gone = "{name: child, extend: base.yaml, calls: none, accept: none, flavours: {other: none},"
    gone += " defaults: {linear: none}, blocks: {slim: none}, knobs: {kind: wide}}"
    (base / "child.yaml").write_text(gone)
    assert mbprof.load("child.yaml").build().profile().total.params == 3 * 12 * 9 + 12 * 12 * 9
    jsonschema.Draft7Validator(schema()).validate(yaml.safe_load(gone))


def test_checks_of_what_extends_speak_of_its_own_lines(base: Path) -> None:
    (base / "child.yaml").write_text(
        "{name: child, extend: base.yaml, body: {rows: {0: {c: 8}, 1: none}}}"
    )
    for name in ("base.yaml", "child.yaml"):
        codes = {each.code for each in mbprof.check(name).findings}
        assert not codes & {"MB012", "MB013"}, name


def test_an_op_in_a_block_of_its_name_is_the_op(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "blocks").mkdir()
    text = "takes: {c: int}\nexample: {in: 8x8x4, c: 4}\nbody: [{op: conv, k: 3, c: c}]\n"
    (tmp_path / "blocks" / "conv.yaml").write_text(text)
    (tmp_path / "conv.yaml").write_text(text)
    monkeypatch.setattr(zoo, "folder", lambda: tmp_path)
    for cache in (zoo.block_tree, zoo.block_names, zoo._read, zoo._file):
        cache.cache_clear()
    try:
        for name in ("conv", str(tmp_path / "conv.yaml")):
            out, err, status = invoke("block", name)
            assert (err, status) == ("", 0)
            assert "144" in out
    finally:
        for cache in (zoo.block_tree, zoo.block_names, zoo._read, zoo._file):
            cache.cache_clear()


@pytest.mark.parametrize(
    ("row", "whole"),
    [
        ("{op: conv, k: 1, c: max(64, int(2 * 8)), act: relu}", "max(64, int(2 * 8))"),
        ("{op: conv, k: [max(1, 3), 1], c: 8}", "max(1, 3)"),
    ],
)
def test_an_expression_that_yaml_cuts_gets_the_hint_of_its_quotes(row: str, whole: str) -> None:
    head = "name: n\ninput: {res: 8}\nbody:\n  - "
    with pytest.raises(mbprof.MbprofError) as raised:
        mbprof.loads(head + row)
    assert raised.value.hint == f'write  "{whole}"'
    assert mbprof.loads(head + row.replace(whole, f'"{whole}"')).build()


def test_cells_of_the_zoo_are_left_out_as_yaml_has_it() -> None:
    for path in (ROOT / "specs").rglob("*.yaml"):
        assert "-" not in scalars(yaml.load(path.read_text(), yaml.BaseLoader)), path


def scalars(tree: object) -> set[str]:
    if isinstance(tree, dict):
        tree = list(tree.values())
    return set().union(*map(scalars, tree)) if isinstance(tree, list) else {str(tree)}


def test_a_bare_dash_leaves_a_cell_out_too() -> None:
    rows = "[[conv, 3, 4], [gap, %s, ~]]"
    text = f"{{name: n, input: {{res: 8}}, body: {{columns: [op, k, c], rows: {rows}}}}}"
    found = [mbprof.loads(text % cell).build().profile().rows for cell in ("~", "-")]
    assert found[0] == found[1]


def test_alpha_is_the_width_multiplier_wherever_there_is_one() -> None:
    """A smaller alpha has fewer weights, with all else at its default."""
    for name in zoo.spec_names():
        spec = mbprof.load(name)
        knob = spec.definition.knobs.get("alpha")
        if knob is not None:
            few, many = (0.5, 1.0) if knob.inside(0.5) else (1.0, 2.0)
            at = [spec.build(alpha=alpha).profile().total.params for alpha in (few, many)]
            assert at[0] < at[1], name


CHANNELS = """\
name: n
input: {channels: 3, res: 8}
knobs: {alpha: 1.0}
width: div8(alpha * c)
blocks:
  two:
    takes: {c: int}
    body:
      - {op: conv, k: 1, c: c, c_in: %s}
      - {op: conv, k: 1, c: c}
body:
  columns: [c_in, op, k, c, n]
  rows:
    - [3, conv, 3, 16, ~]
    - [16, conv, 1, 32, 2]
    - [32, two, ~, 64, ~]
    - {op: conv, k: 1, c: 10, width: c, c_in: 64}
"""


@pytest.mark.parametrize("alpha", [0.25, 0.5, 1.0, 1.4])
def test_stated_channels_hold_at_every_width(alpha: float) -> None:
    spec = mbprof.loads(CHANNELS % "in.c")
    assert spec.build(alpha=alpha).output_shape == (10, 8, 8)
    for row, (wrong, line) in enumerate((("4", 14), ("80", 15), ("120", 16))):
        text = (CHANNELS % "in.c").splitlines()
        stated = ("3", "16", "32")[row]
        text[line - 1] = text[line - 1].replace(f"[{stated},", f"[{wrong},")
        with pytest.raises(mbprof.MbprofError, match=f"states {wrong} input channels") as raised:
            mbprof.loads("\n".join(text)).build(alpha=alpha)
        assert raised.value.loc is not None
        assert raised.value.loc.line == line
    with pytest.raises(mbprof.MbprofError, match="states 40 input channels, and"):
        mbprof.loads(CHANNELS % "40").build(alpha=alpha)


def test_a_sweep_with_stated_channels_equals_single_runs(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(CHANNELS % "in.c")
    path = str(tmp_path / "net.yaml")
    swept = mbprof.sweep(path, alpha=[0.25, 0.5, 1.0, 1.4])
    single = [mbprof.load(path).build(alpha=a).profile().total for a in (0.25, 0.5, 1.0, 1.4)]
    assert list(swept["params"]) == [total.params for total in single]
    assert list(swept["macs"]) == [total.cost for total in single]


def test_a_sum_repeats_sizes_of_one_as_a_product_does() -> None:
    text = (
        "{name: n, input: {channels: 4, res: %s}, body: [{op: gap, out: c}, {op: add, in: [%s]}]}"
    )
    for inputs in ("x, c", "c, x", "c, x, c"):
        network = mbprof.loads(text % ("8x6", inputs)).build()
        assert network.output_shape == (4, 8, 6)
        added = (inputs.count(",")) * 4 * 8 * 6
        assert network.compiled.nodes[-1].facts.add == added
    wrong = "{name: n, input: {channels: 4, res: 8}, body: [{op: pad, c: 6, p: 0, out: p}, %s]}"
    with pytest.raises(mbprof.MbprofError, match=r"4×8×8 and 6×8×8 differ"):
        mbprof.loads(
            wrong % "{op: gap, in: x, out: c}, {op: gap, in: p}, {op: add, in: [x, p]}"
        ).build()
