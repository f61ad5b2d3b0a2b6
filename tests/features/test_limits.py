"""What a text can ask for has limits, and a sweep has those of a single run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mbprof
from mbprof.errors import KnobError, LimitError, MbprofError, SpecError, UsageError
from mbprof.language.fmt import parse
from mbprof.sweeps.configs import read_configs
from tests.features.effort import effort

HEAD = "name: net\ninput: {res: 8}\n"
CONV = "{op: conv, k: 1, c: 3}"
LONG = "9" * 900_000


def said(work: Callable[[Any], Any], given: Any) -> Any:
    """Return params and cost, or the error's message."""
    try:
        return work(given)
    except MbprofError as error:
        return error.message


@pytest.mark.parametrize(
    "width",
    [
        "max(int(alpha * 32), 8)",
        "div8(alpha * 32)",
        "min(div8(alpha * 32), 4096)",
        "max(min(int(alpha * 32), 1000), 8)",
        "8 + int(alpha * 32) % 16",
        "8 + ceil(alpha * 32) // 1000000000000000000",
        "int(alpha) * int(alpha) - int(alpha) * int(alpha) + 3",
        "3 if int(alpha) * int(alpha) * int(alpha) > 8 else 4",
        "round(alpha) % 12 + 1",
        "1 + int(alpha * alpha * alpha) % 7",
        "2 + int(alpha) * 1000000000000000000000 % 7",
    ],
)
def test_a_sweep_says_what_a_single_run_says(width: str) -> None:
    spec = mbprof.loads(f"{HEAD}knobs: {{alpha: 1.0}}\nbody: [{{op: conv, k: 1, c: '{width}'}}]")
    values = [1.0, 3.0, 1e9, 1.5e10, 2e18 / 32, 9e18 / 32, 3e17, 2e18, 1e19, 3e25, 1e29, 1e30]

    def run(alpha: float) -> Any:
        total = spec.build(alpha=alpha).profile().total
        return total.params, total.cost

    def swept(alphas: list[float]) -> Any:
        frame = mbprof.sweep(spec, chunks=False, alpha=alphas)
        return int(frame["params"].iloc[-1]), int(frame["macs"].iloc[-1])

    for alpha in values:
        single = said(run, alpha)
        assert said(swept, [alpha]) == single
        assert said(swept, [2.0, alpha]) == single
        assert said(swept, [1.0, 1.5, alpha]) == single


def test_a_formula_states_no_bound() -> None:
    spec = mbprof.loads(f"{HEAD}knobs: {{a: 1.0}}\nbody: [{{op: conv, k: 1, c: int(a * 8) + 1}}]")
    assert "10^30" not in str(mbprof.formula(spec, symbols=["a"]).to_dict())


@pytest.mark.parametrize("text", [LONG, LONG + "x", "1e" + LONG, "." + LONG, "-" + LONG + "x"])
def test_a_number_is_refused_by_its_length_first(text: str) -> None:
    def given() -> None:
        with pytest.raises(MbprofError) as error:
            mbprof.load("mobilenet_v1").build(alpha=text)
        assert len(str(error.value)) < 400

    def written() -> None:
        with pytest.raises(MbprofError):
            mbprof.loads(f"{HEAD}knobs: {{a: {{default: 1.0, max: {text}}}}}\nbody: [{CONV}]")

    assert effort(given) < 1
    assert effort(written) < 2


@pytest.mark.parametrize(
    "text", ["nan", "-INF", "infinity", "1e31", "-1e999", "²", "1²", "٣", "３"]
)
def test_what_is_no_number_is_refused_wherever_one_is_read(text: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        parse(text)
    for spec in (
        f"{HEAD}knobs: {{a: {text}}}\nbody: [{CONV}]",
        f"{HEAD}knobs: {{a: {{default: 1, min: {text}}}}}\nbody: [{CONV}]",
        f"{HEAD}knobs: {{a: {{default: 1, one_of: [1, {text}]}}}}\nbody: [{CONV}]",
        f"name: net\ninput: {{res: 8, scale: {text}}}\nbody: [{CONV}]",
        f"name: net\ninput: {{res: {text}}}\nbody: [{CONV}]",
        f"{HEAD}presets: {{p: {{res: {text}}}}}\nbody: [{CONV}]",
        f"{HEAD}body: [{{op: conv, k: 1, c: {text}}}]",
    ):
        with pytest.raises(MbprofError) as error:
            mbprof.loads(spec).build()
        assert error.value.loc is not None


def test_numbers_of_a_table_have_their_place(tmp_path: Path) -> None:
    (tmp_path / "k.csv").write_text("alpha\n1.0\nnan\n")
    with pytest.raises(UsageError, match=r"k\.csv:3: alpha is nan; it must be finite"):
        read_configs(tmp_path / "k.csv")


@pytest.mark.parametrize(
    ("body", "blocks"),
    [
        ("{op: conv, k: 1, c: 3, n: 655350}", ""),
        ("{op: conv, k: 1, c: 3, n: 240000, bn: true, act: relu}", ""),
        ("{repeat: 3000, dense: true, body: [{op: conv, k: 1, c: 3}]}", ""),
        ("{repeat: 400000, body: [{op: conv, k: 1, c: 1, s: 2147483647}]}", ""),
        ("{op: dwconv, k: 1, m: 2147483647, n: 3000}", ""),
        ("{op: conv, k: 1, c: 3, name: " + "a" * 500_000 + ", n: 9}", ""),
        ("{op: conv, k: 1, c: 3, name: '" + "{i}" * 30_000 + "'}", ""),
        ("{op: b, n: 9}", "b: {takes: {" + ", ".join(f"a{i}: 1" for i in range(20_000)) + "}}"),
        ("{op: b0}", ", ".join(f"b{i}: {{body: [{{op: b{i + 1}}}]}}" for i in range(5_000))),
        ("{op: b4999}", ", ".join(f"b{i + 1}: {{body: [{{op: b{i}}}]}}" for i in range(5_000))),
        ("a, " * 900_000, ""),
    ],
)
def test_what_asks_for_too_much_ends_soon(body: str, blocks: str) -> None:
    def asked() -> None:
        with pytest.raises(LimitError) as error:
            mbprof.loads(f"{HEAD}blocks: {{{blocks}}}\nbody: [{body}]").build()
        assert error.value.loc is not None

    assert effort(asked) < 6


def test_a_trace_has_a_budget() -> None:
    row = "{op: conv, k: 1, c: in.c + 1, when: int(a * in.c) % 7 < 9}"
    spec = mbprof.loads(f"{HEAD}knobs: {{a: 1.0}}\nbody: [{{repeat: 9000, body: [{row}]}}]")
    with pytest.raises(LimitError, match="asks too much of the knobs that vary"):
        mbprof.sweep(spec, chunks=False, a=[1.0, 2.0])


@pytest.mark.parametrize(("count", "error"), [(30, None), (40, LimitError), (2_000, LimitError)])
def test_chains_of_files_and_flavours_end(
    count: int, error: type[MbprofError] | None, tmp_path: Path
) -> None:
    for i in range(min(count, 50)):
        (tmp_path / f"s{i}.yaml").write_text(f"name: s{i}\nextend: s{i + 1}.yaml\n")
    (tmp_path / f"s{min(count, 50)}.yaml").write_text(f"{HEAD}body: [{CONV}]")
    like = ", ".join(f"f{i}: {{like: f{i + 1}}}" for i in range(count))
    flavours = f"{HEAD}body: [{CONV}]\nflavours: {{{like}, f{count}: {{doc: d}}}}"
    (tmp_path / "f.yaml").write_text(flavours)
    for name in ("s0.yaml", "f.yaml@f0"):
        if error is None:
            assert mbprof.load(f"{tmp_path}/{name}").build().profile().total.params == 9
        else:
            with pytest.raises(error, match="leads through more than 32 others"):
                mbprof.load(f"{tmp_path}/{name}")


def test_specs_that_extend_one_another_are_one_text(tmp_path: Path) -> None:
    for i in range(3):
        text = f"name: s{i}\nextend: s{i + 1}.yaml\ndoc: {'d' * 9_000_000}\n"
        (tmp_path / f"s{i}.yaml").write_text(text)
    (tmp_path / "s3.yaml").write_text(f"{HEAD}body: [{CONV}]")
    with pytest.raises(LimitError, match="hold more than 16,777,216 characters"):
        mbprof.load(f"{tmp_path}/s0.yaml")


def test_long_text_that_is_no_yaml_is_said_soon() -> None:
    def read() -> None:
        with pytest.raises(MbprofError, match="not valid YAML"):
            mbprof.loads(f"{HEAD}doc: 'd\nbody: [{'a' * 900_000}")

    assert effort(read) < 2


def test_knobs_that_every_spec_has_stay_what_they_are() -> None:
    text = "name: net\ninput: {{res: 32}}\nknobs: {{output_stride: {}}}\nbody: [{}]"
    strided = "{op: conv, k: 3, c: 8, s: 2, n: 3}, {op: conv, k: 3, c: 8, s: 2}"
    spec = mbprof.loads(text.format("{default: none, one_of: [1, 2]}", strided))
    assert spec.build(output_stride=2).output_shape[1:] == (16, 16)
    for wrong in ("w", "true", "8.5", "32x32", "{default: w, type: name}", "{default: -3}"):
        with pytest.raises((SpecError, KnobError)):
            mbprof.loads(text.format(wrong, strided))


def test_a_formula_that_has_no_value_does_not_hold() -> None:
    text = "knobs: {alpha: 1.0, g: {default: 2, min: -5}}\nbody: [{op: conv, k: 1, "
    spec = mbprof.loads(f"{HEAD}{text}c: 64 // g + 1 + int(8 / alpha)}}]")
    found = mbprof.formula(spec, symbols=["g", "alpha"])
    for values in ({"g": 0}, {"alpha": 0.0}, {"g": 10**40}, {"alpha": 1e31}):
        with pytest.raises(MbprofError, match=r"does not hold|must be at most 10\^30"):
            found.evaluate(**values)
