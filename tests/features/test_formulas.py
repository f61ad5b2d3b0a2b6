"""A formula says what a table says: evaluated, read from its text, and refused where it fails."""

import json
import math
import re
from fractions import Fraction
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.mathtext import MathTextParser

import mbprof
from mbprof.errors import KnobError, UsageError
from mbprof.formulas import Formula, formula
from mbprof.formulas.request import block_spec
from mbprof.formulas.sheet import render
from mbprof.formulas.text import Latex, Product, Sum, Symbol, Text
from mbprof.language.fmt import parse
from mbprof.network.build import build
from mbprof.network.load import Spec
from mbprof.network.profile import Profile
from mbprof.spec import open_block, zoo
from mbprof.spec.block import lone
from mbprof.symbolic.arithmetic import divisible
from tests.conftest import profile, sampled
from tests.conftest import run as command


def takes_a_map(name: str) -> bool:
    """Whether a block takes one input, of channels, height and width."""
    example = lone(open_block(name))
    return len(example.block.inputs) == 1 and len(example.images[0]) == 3


NAMES = sampled()
BLOCKS = [name for name in zoo.block_names() if takes_a_map(name)]
"""The blocks of the library that take one map of any size; a formula's input is such a map."""
kept = cache(formula)


def costs_of(profile: Profile, by: str) -> dict[str, tuple[int, int]]:
    """Return what each layer or block of a profile costs that costs anything."""
    rows = profile.grouped(by)
    return {row.name: (row.params, row.cost) for row in rows if row.params or row.cost}


def evaluated(
    found: Formula, **values: float
) -> tuple[dict[str, tuple[int, int]], tuple[int, int]]:
    cost = found.evaluate(**values)
    lines = {name: (params, macs) for name, params, macs in cost.lines if params or macs}
    return lines, (cost.params, cost.cost)


@pytest.mark.parametrize("by", ["layer", "block", "net"])
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_a_formula_equals_the_table(by: str, data: st.DataObject) -> None:
    """At any width and any odd or oblong size at which its conditions hold, and nowhere else."""
    name = data.draw(st.sampled_from(NAMES))
    scope = data.draw(st.sampled_from(["all", "body"]))
    found = kept(name, by=by, scope=scope)
    values: dict[str, Any] = {axis: data.draw(st.integers(1, 700)) for axis in ("H", "W")}
    knobs: dict[str, Any] = {"res": (values["H"], values["W"])}
    if any(each.name == "alpha" for each in found.symbols):
        twentieths = st.integers(1, 80).map(lambda n: n / 20)
        knobs["alpha"] = values["alpha"] = data.draw(st.floats(0.001, 5) | twentieths)
    try:
        lines, total = evaluated(found, **values)
    except UsageError:
        return
    profile = mbprof.load(name).build(**knobs).profile(scope=scope)
    assert total == profile.total[:2]
    assert lines == (costs_of(profile, by) if by != "net" else {})


@pytest.mark.parametrize("name", NAMES)
def test_a_formula_equals_the_table_at_the_defaults(name: str) -> None:
    lines, total = evaluated(kept(name))
    assert total == profile(name).total[:2]
    assert lines == costs_of(profile(name), "layer")


@pytest.mark.parametrize("convention", ["stored", "trainable"])
@pytest.mark.parametrize("name", ["mobilenet_v2@keras", "se_resnet18", "shufflenet_v2", "vgg11_bn"])
def test_every_convention_has_formulas(name: str, convention: str) -> None:
    found = formula(name, convention=convention)
    profile = mbprof.load(name).build(res=(227, 261)).profile(convention=convention)
    lines, total = evaluated(found, H=227, W=261)
    assert total == profile.total[:2]
    assert lines == costs_of(profile, "layer")


def profile_of(text: str, fixed: dict[str, Any], values: dict[str, Any]) -> Profile:
    """Return what a block by itself costs, built without symbols."""
    spec, _ = block_spec(open_block(text), fixed)
    given = {n: v for n, v in values.items() if n in spec.knobs}
    knobs = {**{n: k.default for n, k in spec.knobs.items()}, **given}
    knobs["res"] = (values["H"], values["W"])
    return Profile.of(build(spec, knobs), spec.name, knobs, "all")


@pytest.mark.parametrize("text", [*BLOCKS, "mobilenet_v1:dw_sep"])
@settings(deadline=None, max_examples=8)
@given(data=st.data())
def test_a_block_by_itself(text: str, data: st.DataObject) -> None:
    found = kept(text)
    small = {"k": 7, "s": 3, "t": 8, "r": 16, "g": 8}
    values = {
        each.name: each.value
        if data.draw(st.booleans())
        else data.draw(st.integers(1, small.get(each.name, 200)))
        for each in found.symbols
    }
    try:
        lines, total = evaluated(found, **values)
    except UsageError:
        return
    fixed = {name: value for name, value in found.fixed.items() if value is not None}
    spec_knobs = block_spec(open_block(text), {})[0].knobs
    profile = profile_of(
        text, {}, {**{n: v for n, v in fixed.items() if n in spec_knobs}, **values}
    )
    assert total == profile.total[:2]
    names = {name.removeprefix("block/"): cost for name, cost in costs_of(profile, "layer").items()}
    assert lines == names


@pytest.mark.parametrize(
    "text",
    [
        "vision_transformer:encoder", "vision_transformer:packed_swiglu", "pit:encoder",
        "cait:attention", "hiera:hiera", "tnt:inner_encoder", "volo:class_block",
    ],
)  # fmt: skip
@settings(deadline=None, max_examples=8)
@given(n=st.integers(1, 40), c=st.integers(1, 300), fits=st.booleans())
def test_a_block_of_tokens_by_itself(text: str, n: int, c: int, fits: bool) -> None:
    n, c = (64 * n, 48 * c) if fits else (n, c)
    found = kept(text)
    values = {"C": c, "N": n}
    arguments: dict[str, Any] = {"c": c} if "c" in {each.name for each in found.symbols} else {}
    try:
        lines, total = evaluated(found, **values, **arguments)
    except UsageError:
        assert not fits
        return
    profile = mbprof.block(text, (n, c), **arguments).profile()
    assert total == profile.total[:2]
    block = text.partition(":")[2]
    costs = costs_of(profile, "layer")
    assert lines == {name.removeprefix(f"{block}/"): cost for name, cost in costs.items()}


def test_a_block_of_several_inputs_has_a_formula() -> None:
    found = kept("biased_scores")
    profile = mbprof.block("biased_scores").profile()
    assert evaluated(found)[1] == profile.total[:2]


@pytest.mark.parametrize("convention", ["kernels", "fvcore", "keras", "ptflops", "calflops"])
@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_costs_what_the_command_block_says(name: str, convention: str) -> None:
    """At its example, and on an input of odd sides, wherever the formula's conditions hold."""
    example = lone(open_block(name))
    arguments: dict[str, Any] = {n: parse(value) for n, value in example.arguments.items()}
    c, h, w = example.images[0]
    found = kept(name, by="net", convention=convention)
    usual = {each.name for each in found.symbols}
    rest = {n: v for n, v in arguments.items() if n not in usual and found.fixed.get(n) != v}
    if rest:
        found = formula(name, by="net", convention=convention, **rest)
    compared = []
    for size in ((h, w), (h + 3, w + 5)):
        known: dict[str, Any] = {**arguments, "C": c, "H": size[0], "W": size[1]}
        values = {each.name: known[each.name] for each in found.symbols if each.name in known}
        try:
            said = found.evaluate(**values)[:2]
        except UsageError:
            continue
        network = mbprof.block(name, (size[0], size[1], c))
        assert said == network.profile(convention=convention).total[:2]
        compared.append(size)
    if (h, w) not in compared:
        found = formula(name, by="net", convention=convention, **arguments, C=c, res=(h, w))
        total = Spec(example.definition).build().profile(convention=convention).total
        assert found.evaluate()[:2] == total[:2]


# The printed text, read by something that shares no code with what wrote it

LOW = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
HIGH = "⁰¹²³⁴⁵⁶⁷⁸⁹"


def as_python(text: str) -> str:
    """Turn a printed formula into Python."""
    text = re.sub(r"round([₀-₉]+)\(", lambda m: f"div({m[1].translate(LOW)}, ", text)
    text = text.translate(LOW).replace("·", "*").replace("^", "**")
    text = re.sub(f"[{HIGH}]+", lambda m: f"**{''.join(str(HIGH.index(c)) for c in m[0])}", text)
    while match := re.search(r"⌈([^⌈⌉⌊⌋]*)⌉|⌊([^⌈⌉⌊⌋]*)⌋", text):
        up, inner = match[1] is not None, match[1] or match[2]
        top, slash, by = inner.rpartition("/")
        divided = f"({top}), {by}" if slash else f"({inner}), 1"
        text = f"{text[: match.start()]}{'up' if up else 'down'}({divided}){text[match.end() :]}"
    return text.replace(" mod ", " % ").replace("≤", "<=").replace("≥", ">=").replace("≠", "!=")


READING = {
    "up": lambda top, by: math.ceil(top) if by == 1 else -(-top // by),
    "down": lambda top, by: math.floor(top) if by == 1 else top // by,
    "div": lambda n, x, floor=None: divisible(x, n, floor),
    "round": round,
    "max": max,
    "min": min,
    "gcd": math.gcd,
}


def parts_of(sheet: str) -> tuple[list[list[str]], str, list[str]]:
    """Return the rows of a sheet in columns, its total of MACs, and its definitions."""
    lines = sheet.splitlines()[1:]
    rows = [re.split(r"\s{2,}", line) for line in lines[2 : lines.index("")]]
    text = "\n".join(lines)
    total = re.search(r"^MACs = (.*?)\n\n", text, re.M | re.S)
    assert total is not None
    where = re.search(r"^where (.*?)\n\n", text, re.M | re.S)
    defined = re.split(r"\n +|, (?=w)", where[1]) if where else []
    return rows, " ".join(total[1].split()), defined


READ = ["mobilenet_v1", "mobilenet_v2", "mobilenet_v3_large", "inception_v3", "shufflenet_v1",
        "resnet50", "efficientnet_b0", "googlenet", "densenet121", "mobilenet_v4_conv_medium",
        "xception", "squeezenet", "mobilenet_v1@keras", "efficientnet_lite0"]  # fmt: skip


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("size", [(224, 224), (257, 257), (331, 331)])
def test_the_printed_text_says_what_is_meant(name: str, size: tuple[int, int]) -> None:
    found = kept(name)
    known: dict[str, Any] = {"α": 1.0, "H": size[0], "W": size[1]}
    rows, total, where = parts_of(render(found, "text", width=10_000))
    for line in where:
        symbol, _, definition = line.partition(" = ")
        known[symbol.translate(LOW)] = eval(as_python(definition), dict(READING), known)
    profile = mbprof.load(name).build(res=size).profile()
    said = {
        row[0]: tuple(eval(as_python(cell), dict(READING), known) for cell in row[1:])
        for row in rows
    }
    assert said == costs_of(profile, "layer")
    assert eval(as_python(total), dict(READING), known) == profile.total.cost


CONVENTIONS = ["fvcore", "ultralytics-thop", "thop", "ptflops", "onnx-tool-folded", "calflops",
               "tf-profiler"]  # fmt: skip


def as_python_from_latex(text: str) -> str:
    """Turn a formula in LaTeX into Python."""
    text = re.sub(r"\\(?:operatorname|mathrm)\{round\}_\{(\d+)\}(?:\\left)?\(", r"div(\1, ", text)
    text = re.sub(r"_\{(\d+)\}", r"\1", text)
    text = re.sub(r"\^\{(\d+)\}", r"**\1", text)
    text = re.sub(r"\\(?:operatorname|mathrm)\{(\w+)\}", r"\1", text)
    text = text.replace(r" \, ", "*").replace(r"\bmod", "%")
    while r"\frac" in text:
        text, count = re.subn(r"\\frac\{([^{}]*)\}\{([^{}]*)\}", r"over(\1, \2)", text)
        assert count, text
    text = re.sub(r"\\left\\l(floor|ceil) ", r"\1(", text)
    text = re.sub(r" \\right\\r(floor|ceil)", ")", text)
    text = re.sub(r"\\(left|right)", "", text)
    return re.sub(r"\\(max|min|gcd|alpha)", r"\1", text)


READING_LATEX = {
    **READING,
    "over": lambda top, by: Fraction(top, by) if isinstance(top, int) else top / by,
    "floor": math.floor,
    "ceil": math.ceil,
}


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("name", ["inception_v3@slim", "shufflenet_v1", "densenet121",
                                  "mobilenet_v3_large", "xception"])  # fmt: skip
def test_every_style_says_what_is_meant(name: str, convention: str) -> None:
    """Of conventions whose terms can be negative, in text and LaTeX: blocks and total."""
    found = kept(name, by="block", convention=convention)
    cost = found.evaluate(H=331, W=331)
    data = json.loads(render(found, "json"))
    for style, read, names in (
        ("text", as_python, READING),
        ("latex", as_python_from_latex, READING_LATEX),
    ):
        known: dict[str, Any] = {"α": 1.0, "alpha": 1.0, "H": 331, "W": 331}
        for each in data["where"]:
            symbol = each["name"].translate(LOW)
            known[symbol] = eval(read(each[style]), dict(names), known)
        said = [eval(read(each[style]), dict(names), known) for each in data["total"].values()]
        assert said == [cost.params, cost.cost]
        for line, (_, params, macs) in zip(data["lines"], cost.lines, strict=True):
            name, *both = line.values()
            said = [eval(read(each[style]), dict(names), known) for each in both]
            assert said == [params, macs]
    text = render(found, "text", width=10_000)
    total = re.search(rf"^{found.convention.unit} = (.*?)\n\n", text, re.M | re.S)
    assert total is not None
    assert eval(as_python(" ".join(total[1].split())), dict(READING), known) == cost.cost


def test_a_subtracted_sum_stands_in_brackets() -> None:
    a, b, c = (Product(1, (Symbol(letter),)) for letter in "abc")
    inner = Product(-1, (Sum((a, b)),))
    assert Text()(Sum((c, inner))) == "c - (a + b)"
    assert Text()(inner) == "-(a + b)"
    assert Text()(Product(2, (Sum((inner, c)), Symbol("d")))) == "2·(-(a + b) + c)·d"
    assert Text()(Sum((c, Product(1, (Sum((a, b)),))))) == "c + a + b"
    assert Latex()(Sum((c, inner))) == "c - (a + b)"


# LaTeX and Markdown


def maths(sheet: str) -> list[str]:
    """Return the formulas of a LaTeX or Markdown sheet, each by itself."""
    blocks = re.findall(r"\\begin\{(?:align\*|aligned)\}\n(.*?)\\end", sheet, re.S)
    rest = re.sub(
        r"\\begin\{(?:align\*|aligned)\}.*?\\end\{(?:align\*|aligned)\}", "", sheet, flags=re.S
    )
    found = re.findall(r"\$([^$]+)\$", rest)
    for block in blocks:
        for line in block.strip().removesuffix("\\\\").split("\\\\\n"):
            found.append(line.strip().replace("&", "").replace(r"\quad", ""))
    return found


parsed = cache(MathTextParser("path").parse)


@pytest.mark.parametrize("name", ["mobilenet_v2", "inception_v3", "mobilenet_v3_large", "mbconv",
                                  "shufflenet_v1", "shuffle_v2", "efficientnet_b0"])  # fmt: skip
@pytest.mark.parametrize("format", ["latex", "md"])
def test_latex_is_accepted_by_a_reader_of_latex(name: str, format: str) -> None:
    sheet = render(kept(name), format)
    found = maths(sheet)
    assert len(found) > 3
    for each in found:
        assert each.count("{") == each.count("}")
        assert each.count(r"\left") == each.count(r"\right")
        plain = each.replace(r"\bmod", r"\,\mathrm{mod}\,")
        parsed(f"${plain}$")


def test_markdown_has_nothing_that_github_refuses() -> None:
    for name in ("mobilenet_v2", "mbconv", "mobilenet_v3_large"):
        sheet = render(kept(name), "md")
        assert r"\operatorname" not in sheet
        for each in re.findall(r"\$([^$]+)\$", sheet):
            assert not re.search(r"[})]_|\*|\\[,;!{}\\]", each), each


def test_names_are_escaped(tmp_path: Path) -> None:
    path = tmp_path / "odd_name.yaml"
    path.write_text(
        "name: odd_name\ninput: {res: 8}\nknobs: {my_width: 4}\n"
        "body: [{op: conv, k: 3, c: my_width, name: a_b%c}, {op: conv, k: 1, c: 2 * my_width}]\n"
    )
    found = formula(str(path), symbols=["my_width"])
    assert r"a\_b\%c & $27 \, \mathrm{my\_width}$" in render(found, "latex")
    assert r"\mathrm{my\ width}" in render(found, "md")
    assert "27·my_width" in render(found, "text")


# What is a symbol, and where a formula holds


def test_symbols_are_chosen() -> None:
    assert [each.name for each in formula("mobilenet_v1").symbols] == ["alpha", "H", "W"]
    assert [each.name for each in formula("resnet50").symbols] == ["H", "W"]
    assert formula("mobilenet_v1", alpha=0.75, res=128).symbols == ()
    found = formula("mobilenet_v1", symbols=["classes"], scope="all", alpha=0.5)
    assert (
        found.evaluate(classes=10)[:2]
        == (mbprof.load("mobilenet_v1").build(alpha=0.5, classes=10).profile(scope="all").total[:2])
    )
    assert found.evaluate(H=97)[1] != found.evaluate()[1]


def conditions(name: str, **knobs: Any) -> list[str]:
    sheet = render(formula(name, **knobs), "text", width=10_000)
    line = next(line for line in sheet.splitlines() if line.startswith("Holds for "))
    return line.removeprefix("Holds for ").removesuffix(".").split(", ")


def test_conditions_that_cost_nothing_are_left_out() -> None:
    """A shortcut is an addition: it is no MAC, but it is a MUL-ADD of other conventions."""
    assert conditions("mobilenet_v2") == ["0 < α ≤ 100", "1 ≤ H", "W ≤ 32768"]
    assert conditions("inv_res", divisor=1)[-1] == "2 ≤ t ≤ 32768"
    assert conditions("mobilenet_v4_conv_small")[0] == "1 ≤ α ≤ 100"
    assert conditions("inception_v3")[1] == "75 ≤ H"
    assert "c mod 2 = 0" in conditions("shuffle_v2")
    assert "h₅ = w₅" in conditions("mobilenet_v3_large")


def test_a_value_that_conditions_leave_alone_is_fixed() -> None:
    found = formula("shuffle_v2")
    assert found.fixed["s"] == 1
    assert "s" not in {each.name for each in found.symbols}
    assert formula("shuffle_v2", s=2).fixed["s"] == 2


def test_another_formula_holds_elsewhere() -> None:
    narrow = formula("mobilenet_v4_conv_small", alpha=0.5, symbols=["alpha"])
    wide = formula("mobilenet_v4_conv_small")
    assert narrow.evaluate()[:2] == wide_of("mobilenet_v4_conv_small", 0.5)
    with pytest.raises(UsageError, match="it needs 1 ≤ α ≤ 100"):
        wide.evaluate(alpha=0.5)


def wide_of(name: str, alpha: float) -> tuple[int, int]:
    total = mbprof.load(name).build(alpha=alpha).profile().total
    return total.params, total.cost


def test_values_are_checked() -> None:
    found = formula("mobilenet_v1")
    with pytest.raises(KnobError, match="no symbol 'h'"):
        found.evaluate(h=3)
    with pytest.raises(KnobError, match="must be a whole number"):
        found.evaluate(H=3.5)
    with pytest.raises(KnobError, match="must be finite"):
        found.evaluate(H=math.inf)
    with pytest.raises(UsageError, match="it needs 1 ≤ H ≤ 32768"):
        found.evaluate(H=0)
    with pytest.raises(KnobError, match="must be a number"):
        found.evaluate(H="3")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"does not hold at alpha 0\.0"):
        found.evaluate(alpha=0)


def test_too_many_conditions_are_stated_rather_than_proved(tmp_path: Path) -> None:
    rows = "".join(
        f"  - {{op: conv, k: 1, c: int(a * {c}), out: x{c}}}\n"
        f"  - {{op: add, in: [_, x{c}], when: 'int(a * {c}) != int(a * {c + 1})'}}\n"
        for c in range(20, 60)
    )
    path = tmp_path / "many.yaml"
    path.write_text(
        f"name: many\ninput: {{res: 8}}\nknobs: {{a: {{default: 4.0, above: 0}}}}\nbody:\n{rows}"
    )
    found = formula(str(path), symbols=["a"])
    spec = mbprof.load(path)
    assert len(found.conditions) > 10
    for a in (4.0, 3.7, 9.1, 0.4):
        try:
            total = found.evaluate(a=a)[:2]
        except UsageError:
            continue
        assert total == spec.build(a=a).profile().total[:2]


# The command


run = partial(command, "formula")


def test_json_has_text_latex_and_values() -> None:
    found = json.loads(run("mobilenet_v1", "--format", "json", "--by", "block"))
    total = mbprof.load("mobilenet_v1").build().profile().total
    assert found["total"]["macs"]["value"] == total.cost
    assert found["lines"][0] == {
        "name": "Conv2d_0",
        "params": {"text": "27·c₁", "latex": r"27 \, c_{1}", "value": 864},
        "macs": {
            "text": "27·c₁·h₁·w₁",
            "latex": r"27 \, c_{1} \, h_{1} \, w_{1}",
            "value": 10838016,
        },
    }
    assert sum(line["params"]["value"] for line in found["lines"]) == total.params


@pytest.mark.parametrize("name", ["dw_sep", "mobilenet_v1", "shuffle_v2"])
def test_json_has_the_letters_of_the_text(name: str) -> None:
    found = kept(name)
    data = json.loads(render(found, "json"))
    rows, total, where = parts_of(render(found, "text", width=10_000))
    assert rows == [
        [row["name"], *(row[c]["text"] for c in ("params", "macs"))] for row in data["lines"]
    ]
    assert total == data["total"]["macs"]["text"]
    assert {*where} == {f"{each['name']} = {each['text']}" for each in data["where"]}


def test_a_cost_has_the_name_of_its_measure() -> None:
    found = json.loads(run("dw_sep", "--convention", "tf-profiler", "--format", "json"))
    assert found["unit"] == "FLOPs"
    for each in (found["total"], *found["lines"]):
        assert each.keys() - {"name"} == {"params", "flops"}
    by_name = run("dw_sep", "--convention", "tf-profiler", "--of", "flops")
    assert "\nFLOPs = " in by_name
    assert "\nparams = " not in by_name
    assert run("dw_sep", "--convention", "tf-profiler", "--of", "cost") == by_name
    assert run("dw_sep", "--of", "cost") == run("dw_sep", "--of", "macs")
    found = json.loads(run("dw_sep", "--convention", "keras", "--format", "json"))
    assert found["unit"] is None
    assert found["total"].keys() == {"params"}


def test_the_form_that_papers_print() -> None:
    text = run("dw_sep", "--of", "macs")
    assert "MACs = k²·C·h·w + C·c·h·w" in text
    assert "h = ⌈H/s⌉, w = ⌈W/s⌉" in text
    assert "params = " not in text
    assert run("dw_sep", "--format", "rich") == run("dw_sep")


def test_a_sheet_fits_its_terminal() -> None:
    for name in ("mobilenet_v1", "mobilenet_v2", "inception_v3", "mbconv"):
        for line in run(name, "--by", "net").splitlines():
            assert len(line) <= 80, line


@pytest.mark.parametrize("width", [60, 80, 120])
def test_definitions_are_broken_at_their_sums(width: int) -> None:
    found = kept("inception_v3@slim", by="net", convention="ultralytics-thop")
    lines = render(found, "text", width=width).splitlines()
    assert max(map(len, lines)) <= width
    start = next(i for i, line in enumerate(lines) if line.startswith("      c₁₂ = "))
    assert lines[start + 1].startswith("          - c₄·h₈·h₉" if width == 80 else "          ")


def test_a_quotient_of_equal_terms_is_a_number() -> None:
    found = kept("inception_v3@slim", by="net", convention="ultralytics-thop")
    text = render(found, "text")
    assert "       - 1\n" in text
    assert "1000·h₇·w₇/" not in text
    profile = mbprof.load("inception_v3@slim").build(res=(299, 331))
    total = profile.profile(convention="ultralytics-thop").total
    assert found.evaluate(H=299, W=331)[:2] == total[:2]


def test_functions_are_explained() -> None:
    said = "gcd(x, y) is the greatest common divisor of x and y."
    assert said in render(kept("alexnet", by="net", convention="ultralytics-thop"))
    tex = render(kept("alexnet", by="net", convention="ultralytics-thop"), "latex")
    assert r"$\gcd(x, y)$ is the greatest common divisor of $x$ and $y$." in tex
    assert "gcd" not in render(kept("alexnet", by="net"))


def test_a_block_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "pair.yaml"
    path.write_text("takes: {c: int}\nbody: [{op: conv, k: 3, c: c}, {op: conv, k: 1, c: c}]\n")
    assert "MACs = 9·C·c·H·W + c²·H·W" in run(str(path), "--by", "net")


def test_sums_are_multiplied_out_where_that_is_shorter() -> None:
    found = formula("densenet121", symbols=["growth"], by="net")
    assert len(render(found, "text").splitlines()) < 40
    total = mbprof.load("densenet121").build(growth=24, res=(225, 301)).profile().total
    assert found.evaluate(growth=24, H=225, W=301)[:2] == total[:2]
