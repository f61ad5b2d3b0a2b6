"""The library as people type it: every command is a function, every answer says what it is."""

import gzip
import inspect
import pydoc
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas
import pytest
import typer
from matplotlib.figure import Figure

import mbprof
from mbprof.cli.run import app
from mbprof.errors import UsageError
from mbprof.output.model import Brief
from mbprof.output.writers import Result
from mbprof.spec import folders
from mbprof.spec.foreign import ENDINGS, PREFIXES
from tests.conftest import ROOT, child

SPEC = "mobilenet_v1"
FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "table": mbprof.table,
    "show": mbprof.show,
    "check": mbprof.check,
    "compare": lambda given: mbprof.compare(given, "mobilenet_v2"),
    "diff": lambda given: mbprof.diff(given, "mobilenet_v2"),
    "sweep": lambda given: mbprof.sweep(given, alpha=[0.5, 1.0]),
    "explain": mbprof.explain,
    "sizes": mbprof.sizes,
    "formula": lambda given: mbprof.formula(given, by="net"),
    "accuracy": mbprof.accuracy,
    "estimate": lambda given: mbprof.estimate(given, 0.6, 192),
    "verify": mbprof.verify,
    "plot": lambda given: mbprof.plot(given, kind="layers"),
    "graph": lambda given: str(mbprof.graph(given)),
    "report": mbprof.report,
    "export": lambda given: mbprof.export(given, "mermaid"),
    "convert": mbprof.convert,
    "memory": mbprof.memory,
    "training": mbprof.training,
    "latency": lambda given: mbprof.latency(given, "stm32f746"),
    "space": lambda given: mbprof.space(given, alpha=[0.5, 1.0]),
    "search": lambda given: mbprof.search(given, maximize="params", alpha=[0.5, 1.0]),
}
"""Each function that takes a spec, called with it."""

ONNX = ROOT / "tests/independent/data/onnx/keras.MobileNet_a0.25_128.onnx.gz"
MEASURED = ROOT / "tests" / "independent" / "data" / "device" / "pixel1.csv"
OTHERS: dict[str, Callable[[], Any]] = {
    "list": lambda: mbprof.list("mobilenet"),
    "block": lambda: mbprof.block("inv_res"),
    "load": lambda: mbprof.load(SPEC),
    "loads": lambda: mbprof.loads(zoo_text(SPEC)),
    "diagnose": lambda: mbprof.diagnose(zoo_text(SPEC)),
    "from_onnx": lambda: mbprof.from_onnx(gzip.decompress(ONNX.read_bytes())),
    "schema": mbprof.schema,
    "docs": mbprof.docs,
    "calibrate": lambda: mbprof.calibrate(MEASURED),
    "measure": lambda: mbprof.measure("lcnet", repeats=1, warmup=0, res=32),
}
NO_COMMAND = {"diagnose", "estimate", "from_onnx", "from_torch", "load", "loads", "training"}
NO_FUNCTION = {"serve", "watch"}


def zoo_text(name: str) -> str:
    return (folders.folder() / f"{name}.yaml").read_text(encoding="utf-8")


def said(answer: Any) -> Any:
    """Return what an answer says, to be compared."""
    if isinstance(answer, pandas.DataFrame):
        return answer.to_dict("list")
    if isinstance(answer, Figure):
        return [[text.get_text() for text in axes.texts] for axes in answer.axes]
    return answer if isinstance(answer, str) else answer.to_dict()


def test_every_command_is_a_function_and_the_other_way_round() -> None:
    commands = {str(name) for name in typer.main.get_group(app()).commands}
    functions = {name for name in mbprof.__all__ if inspect.isfunction(getattr(mbprof, name))}
    assert functions == {*FUNCTIONS, *OTHERS, "from_torch"}  # which test_torch_in calls
    assert commands - NO_FUNCTION == functions - NO_COMMAND


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_name_a_path_a_spec_and_a_network_are_taken_alike(name: str) -> None:
    call, path = FUNCTIONS[name], folders.folder() / f"{SPEC}.yaml"
    expected = said(call(SPEC))
    assert said(call(mbprof.load(SPEC))) == expected
    assert said(call(mbprof.load(SPEC).build())) == expected
    # A file is called by its path where the zoo's is called by its name.
    called = rf"{path}|specs/{SPEC}\.yaml|{SPEC}"
    for given in (path, str(path)):
        found = said(call(given))
        assert re.sub(called, "SPEC", repr(found).replace("\\", "")) == re.sub(
            called, "SPEC", repr(expected).replace("\\", "")
        )


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("wrong", [42, None, b"mobilenet_v1", [SPEC]], ids=repr)
def test_what_names_no_network_is_refused_in_a_sentence(name: str, wrong: object) -> None:
    with pytest.raises(UsageError) as error:
        FUNCTIONS[name](wrong)
    kind = type(wrong).__name__
    assert str(error.value) == (
        f"error[usage]: expected a name, a path, a Spec or a Network, not {kind}"
    )


def test_a_network_with_knobs_is_refused_in_a_sentence() -> None:
    network = mbprof.load(SPEC).build()
    calls: list[Callable[..., object]] = [
        mbprof.table,
        mbprof.check,
        mbprof.explain,
        lambda given, **knobs: mbprof.compare(given, SPEC, **knobs),
        lambda given, **knobs: mbprof.diff(SPEC, given, **knobs),
    ]
    for call in calls:
        with pytest.raises(UsageError) as error:
            call(network, alpha=0.5, res=128)
        assert str(error.value) == (
            "error[usage]: this network of mobilenet_v1 is built already, so that alpha and res "
            "cannot be turned\n  hint: give the spec instead of the network"
        )


def test_where_a_spec_is_needed_a_network_keeps_its_knobs() -> None:
    network = mbprof.load(SPEC).build(res=128, classes=10)
    total = network.profile(scope="all").total
    frame = mbprof.sweep(network, alpha=[1.0], scope="all")
    assert frame["params"].tolist() == [total.params]
    assert frame["macs"].tolist() == [total.cost]
    assert frame.attrs["mbprof"]["knobs"]["classes"] == 10
    cost = mbprof.formula(network, by="net", scope="all").evaluate()
    assert cost[:2] == total[:2]
    assert mbprof.load(SPEC).knobs["classes"] == 1000


def test_blocks_are_taken_where_networks_are() -> None:
    block = mbprof.block("inv_res", (56, 56, 24), c=24, t=6)
    assert isinstance(block, mbprof.Network)
    assert mbprof.compare(block, "dw_sep").profiles[0].total[:2] == (8208, 25740288)
    assert mbprof.table("inv_res").total[:2] == mbprof.block("inv_res").profile().total[:2]
    assert [finding.code for finding in mbprof.check(mbprof.block("dw_sep")).findings] == ["MB214"]
    assert "alternatives" in block.to_dict()
    assert "by other blocks" in block._repr_html_()


# What is answered


def answers() -> dict[str, Any]:
    network = mbprof.load("mobilenet_v2@torchvision").build()
    table = mbprof.table(SPEC)
    difference = mbprof.diff(SPEC, "mobilenet_v2")
    comparison = mbprof.compare(SPEC, "mobilenet_v2")
    explained = mbprof.explain(network, before="kernels", after="fvcore")
    origins = mbprof.explain(network, number="314193216")
    verdicts, catalogue = mbprof.verify(SPEC), mbprof.list("mobilenet")
    checked = mbprof.check(SPEC)
    return {
        "spec": mbprof.load("mobilenet_v2"),
        "definition": mbprof.load("mobilenet_v2").definition,
        "network": network,
        "graph": network.compiled,
        "node": network.compiled.nodes[3],
        "profile": network.profile(),
        "table": table,
        "row": table.rows[0],
        "total": table.total,
        "comparison": comparison,
        "line": comparison.aligned[0],
        "difference": difference,
        "change": difference.changes[0],
        "checked": checked,
        "finding": checked.findings[0],
        "formula": mbprof.formula("mobilenet_v2"),
        "explanation": explained,
        "bridge": explained.bridges[0],
        "step": explained.bridges[0].lines[0],
        "origins": origins,
        "origin": origins.origins[0],
        "accuracies": mbprof.accuracy(SPEC),
        "estimate": mbprof.estimate(SPEC, 0.6, 192),
        "verdicts": verdicts,
        "verdict": verdicts[0],
        "catalogue": catalogue,
        "entry": catalogue[0],
        "page": mbprof.show("mobilenet_v2"),
        "block": mbprof.block("inv_res"),
    }


@pytest.fixture(scope="module")
def answered() -> dict[str, Any]:
    return answers()


def test_everything_says_in_one_line_what_it_is(answered: dict[str, Any]) -> None:
    for name, answer in answered.items():
        line = repr(answer)
        assert len(line) <= 200, (name, line)
        assert "\n" not in line, name
    assert repr(answered["profile"]) == (
        "<Profile mobilenet_v2@torchvision, alpha 1.0, res 224: 3,469,760 params, 300,774,272 MACs>"
    )
    assert repr(answered["spec"]).startswith("<Spec mobilenet_v2, alpha 1.0, res 224")


def kinds(base: type[Any]) -> list[type[Any]]:
    """Return all classes of a kind."""
    below: list[type[Any]] = base.__subclasses__()
    return [kind for child in below for kind in (child, *kinds(child))]


def test_no_class_undoes_the_line(answered: dict[str, Any]) -> None:
    assert answered
    assert [kind.__name__ for kind in kinds(Brief) if "__repr__" in vars(kind)] == []


def test_every_answer_is_html_a_frame_and_data(answered: dict[str, Any]) -> None:
    results: dict[str, Any] = {
        name: answer for name, answer in answered.items() if isinstance(answer, Result)
    }
    assert set(results) == {
        "spec", "network", "profile", "table", "comparison", "difference", "checked", "formula",
        "explanation", "origins", "accuracies", "estimate", "verdicts", "catalogue", "page",
        "block",
    }  # fmt: skip
    for name, result in results.items():
        assert result._repr_html_().startswith("<div>"), name
        assert len(result.to_frame()) > 0, name
        data = result.to_dict()
        assert isinstance(data, dict), name
        assert data, name
    assert len(results["table"].to_frame()) == len(results["table"].rows)
    assert len(results["verdicts"].to_frame()) == len(results["verdicts"])
    assert results["page"].to_frame()["name"].tolist() == list(results["spec"].knobs)
    assert results["formula"].to_frame().columns.tolist() == ["name", "params", "macs"]


def test_the_frame_of_a_table_has_its_rows_in_its_order() -> None:
    table = mbprof.table(SPEC, sort="params", top=2)
    assert table.to_frame()["name"].tolist() == [row.name for row in table.rows]
    blocks = mbprof.table(SPEC, by="op", columns=["name", "params"]).to_frame()
    assert blocks.columns.tolist() == ["name", "params"]
    assert blocks["params"].sum() == table.total.params
    with pytest.raises(UsageError, match="cannot group by 'nope'"):
        mbprof.table(SPEC, by="nope")
    with pytest.raises(UsageError, match="unknown column 'nope'"):
        mbprof.table(SPEC, sort="nope")


# What is found


def test_names_are_found_by_completion_and_help() -> None:
    assert dir(mbprof) == mbprof.__all__
    text = pydoc.plain(pydoc.render_doc(mbprof))
    for name in {*FUNCTIONS, *OTHERS}:
        assert re.search(rf"^    {name}(\(| = )", text, re.M), name
    # From 3.13 on a long signature is broken into lines.
    assert re.search(r"\*\*knobs: 'Value'\s*\) -> 'Table'", text)
    for name in mbprof.__all__:
        value = getattr(mbprof, name)
        assert name == "__version__" or inspect.getdoc(value), name


LIBRARIES = sorted({reader.library for reader in {*ENDINGS.values(), *PREFIXES.values()}})
WITHOUT = f"""
import pydoc, sys
sys.modules.update(dict.fromkeys({LIBRARIES}))
import mbprof
pydoc.plain(pydoc.render_doc(mbprof))
for call in (mbprof.from_torch, mbprof.from_onnx):
    try:
        call(object())
    except mbprof.MbprofError as error:
        print(error)
"""


def test_names_are_there_without_the_libraries_that_some_need() -> None:
    ended = child(sys.executable, "-c", WITHOUT)
    assert (ended.err, ended.status) == ("", 0)
    assert ended.out == (
        "error[exchange]: reading networks of PyTorch needs the library torch\n"
        "  hint: pip install 'mbprof[torch]'\n"
        "error[exchange]: reading ONNX files needs the library onnx\n"
        "  hint: pip install 'mbprof[onnx]'\n"
    )


def test_the_list_of_the_front_is_no_list_of_the_package() -> None:
    assert mbprof.list.__name__ == "catalogue"
    assert [
        str(path)
        for path in Path(mbprof.__file__).parent.rglob("*.py")
        if path.name != "__init__.py" and re.search(r"^(def list\b|list =)", path.read_text(), re.M)
    ] == []


def test_the_room_compare_does_not_take_the_place_of_the_function() -> None:
    from mbprof.compare import align

    assert inspect.ismodule(align)
    assert inspect.isfunction(mbprof.compare)


# Charts and sweeps


def test_a_chart_is_a_figure_in_axes_of_ones_own_or_not() -> None:
    made = mbprof.plot(SPEC, kind="cost")
    assert isinstance(made, Figure)
    assert len(made.axes) == 4
    for kind, rows, columns in (("accuracy", 1, 2), ("cost", 2, 2), ("layers", 2, 1)):
        figure, axes = plt.subplots(rows, columns)
        try:
            assert mbprof.plot(SPEC, kind=kind, ax=axes) is figure
            assert all(panel.has_data() for panel in axes.ravel()), kind
            assert figure.get_supxlabel() == ""
        finally:
            plt.close(figure)
    figure, axes = plt.subplots()
    try:
        assert mbprof.plot(SPEC, kind="grid", ax=axes) is figure
        with pytest.raises(UsageError) as error:
            mbprof.plot(SPEC, kind="layers", ax=axes)
        assert str(error.value) == (
            "error[usage]: this chart has 2 panels; ax has 1 axes\n"
            "  hint: give ax=plt.subplots(2, 1)[1]"
        )
        with pytest.raises(UsageError, match="ax takes the Axes of matplotlib"):
            mbprof.plot(SPEC, kind="grid", ax=[figure])  # type: ignore[list-item]
    finally:
        plt.close(figure)


def test_a_sweep_comes_in_parts_that_make_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = mbprof.sweep(SPEC, random=70_000, seed=3, alpha="0.25:1.0", res=[128, 224])
    parts = list(
        mbprof.sweep(
            SPEC, random=70_000, seed=3, jobs=2, chunks=True, alpha="0.25:1.0", res=[128, 224]
        )
    )
    assert [len(part) for part in parts] == [32_768, 32_768, 4_464]
    pandas.testing.assert_frame_equal(pandas.concat(parts, ignore_index=True), whole)
    stamp = whole.attrs["mbprof"]
    assert stamp["spec"] == SPEC
    assert stamp["scope"] == "body"
    assert stamp["convention"] == "kernels"
    assert parts[0].attrs["mbprof"] == stamp
    (front,) = mbprof.sweep(
        SPEC, alpha="0.25:1.0:0.25", res=[224], pareto="macs,params", chunks=True
    )
    assert front["alpha"].tolist() == [0.25]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"jobs": 0, "alpha": [1.0]}, "--jobs is 0; it must be at least 1"),
        (
            {"random": 0, "alpha": [1.0]},
            "--random must be at least 1 and --seed at least 0",
        ),
        ({"random": 5, "configs": {"alpha": [1.0]}}, "give either axes or configs"),
    ],
)
def test_a_sweep_refuses_options_before_it_runs(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as error:
        mbprof.sweep(SPEC, chunks=True, **options)
    assert error.value.message == message


def test_a_report_is_text_and_in_a_file_has_charts(tmp_path: Path) -> None:
    text = mbprof.report(SPEC)
    assert "![" not in text
    page = tmp_path / "page.md"
    assert mbprof.report(SPEC, output=page) == page.read_text()
    assert (tmp_path / "page" / "grid.svg").is_file()
