"""Laws that hold for every network, tried on random ones."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import networkx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mbprof
from mbprof.errors import ExpressionError
from mbprof.ops.base import Facts
from mbprof.sweeps.axes import column
from mbprof.sweeps.filters import Where
from mbprof.symbolic.arithmetic import FUNCTIONS
from tests.conftest import network, profile, sampled

alphas = st.decimals(min_value="0.05", max_value="2", places=2).map(float)
resolutions = st.integers(32, 300)


@pytest.mark.parametrize("name", sampled())
@pytest.mark.parametrize("by", ["layer", "block", "op"])
@pytest.mark.parametrize("scope", ["body", "all"])
def test_rows_add_up_to_the_total(name: str, by: str, scope: str) -> None:
    total, rows = profile(name, scope).total, profile(name, scope).grouped(by)
    assert sum(row.params for row in rows) == total.params
    assert sum(row.cost for row in rows) == total.cost
    assert sum(row.layers for row in rows) == total.layers
    summed = Facts(*(sum(kind) for kind in zip(*(row.facts for row in rows), strict=True)))
    assert summed == total.facts


@settings(deadline=None, max_examples=25)
@given(alphas, resolutions, resolutions)
def test_params_do_not_depend_on_the_resolution(alpha: float, one: int, two: int) -> None:
    spec = mbprof.load("mobilenet_v1")
    totals = [spec.build(alpha=alpha, res=res).profile().total for res in (one, two)]
    assert totals[0].params == totals[1].params
    assert (totals[0].cost <= totals[1].cost) == (one <= two) or totals[0].cost == totals[1].cost


@settings(deadline=None, max_examples=25)
@given(alphas, alphas, resolutions)
def test_a_wider_network_never_costs_less(one: float, two: float, res: int) -> None:
    spec = mbprof.load("mobilenet_v1")
    low, high = (spec.build(alpha=a, res=res).profile().total for a in sorted((one, two)))
    assert low.params <= high.params
    assert low.cost <= high.cost


@given(
    st.integers(1, 16), st.integers(1, 3), st.integers(1, 3), st.sampled_from(["tf-same", "torch"])
)
def test_depthwise_equals_a_convolution_in_as_many_groups_as_channels(
    c: int, k: int, s: int, padding: str
) -> None:
    head = f"name: net\ninput: {{channels: {c}, res: 9}}\npadding: {padding}\n"
    dw = mbprof.loads(head + f"body: [{{op: dwconv, k: {k}, s: {s}}}]").build()
    grouped = mbprof.loads(head + f"body: [{{op: conv, k: {k}, s: {s}, c: {c}, g: {c}}}]").build()
    assert dw.profile().total == grouped.profile().total
    assert dw.output_shape == grouped.output_shape


@pytest.mark.parametrize("name", sampled())
def test_the_graph_is_the_network(name: str) -> None:
    built = network(name)
    graph = built.graph
    assert networkx.is_directed_acyclic_graph(graph)
    words: Mapping[str, str] = networkx.get_node_attributes(graph, "op")
    (image,) = (node for node, word in words.items() if word == "input")
    assert list(graph.predecessors(image)) == []
    assert graph.number_of_nodes() == len(built.compiled.nodes) + 1
    costs: Mapping[str, Any] = networkx.get_node_attributes(graph, "facts")
    total = profile(name, "all").total
    assert sum(facts.mac for facts in costs.values()) == total.cost
    ends = [node for node in graph if graph.out_degree(node) == 0]
    assert len(ends) == len(built.compiled.outputs)
    for source, target, data in graph.edges(data=True):
        shape = data["shape"]
        assert shape in graph.nodes[source]["out_shapes"]
        assert shape in graph.nodes[target]["in_shapes"]


@pytest.mark.parametrize("name", sampled())
def test_final_endpoints_grow_towards_the_whole_body(name: str) -> None:
    spec = mbprof.load(name)
    body = profile(name, "body")
    rows = [row for row in body.rows if row.op != "split"]  # its two outputs are no endpoint
    for row in rows[:: max(1, len(rows) // 5)]:
        part = spec.build(final_endpoint=row.name).profile(scope="body")
        assert part.total.cost <= body.total.cost
        # Which norms fold into a layer depends on what stands behind it.
        assert replace(part.rows[-1], folded=row.folded) == row


SIZES = st.sampled_from([96, 224])
TAME: dict[str, st.SearchStrategy[Any]] = {
    "params": st.integers(0, 10**7),
    "macs": st.integers(-9, 9) | st.integers(0, 10**10),
    "alpha": st.integers(0, 40).map(lambda twentieths: twentieths / 20),
    "top1": st.floats(60, 80) | st.just(float("nan")),
    "res": SIZES.map(lambda side: (side, side)),
    "word": st.sampled_from(["a", "b", None, True, 1]),
    "flag": st.booleans(),
}
EDGES = [0, -1, 2**31, 2**53 - 1, 2**53 + 1, 2**62, 2**63 - 1, 10**20]
WILD = TAME | {
    "macs": st.integers(-9, 9) | st.sampled_from(EDGES),
    "alpha": st.floats(-4, 4) | st.sampled_from([1e-300, 1e29, -0.0]),
    "res": st.tuples(SIZES, SIZES),
}
LITERALS = ["0", "1", "2", "3", "8", "96", "2.5", "0.0", "1e29", "1k", "3.4M"]
NUMBERS = ["params", "macs", "alpha", "top1", "res", "classes", *LITERALS, "9007199254740993"]
OTHERS = ["word", "flag", "'a'", "'96x224'", "true", "none"]
COMPARED = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])


def written(pattern: str, *parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return texts with parts in their places."""
    return st.tuples(*parts).map(lambda texts: pattern.format(*texts))


def reckoned(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return numbers made of smaller ones."""
    calls = [
        written(f"{name}({', '.join(['{}'] * count)})", *[parts] * count)
        for name, function in FUNCTIONS.items()
        for count in range(function.least, min(function.most, 3) + 1)
    ]
    signs = st.sampled_from(["+", "-", "*", "/", "//", "%"])
    choice = written("({} if {} < {} else {})", *[parts] * 4)
    return (
        written("({} {} {})", parts, signs, parts)
        | written("-{}", parts)
        | st.one_of(*calls)
        | choice
    )


def asked(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return conditions made of smaller ones."""
    joined = written("({} {} {})", parts, st.sampled_from(["and", "or", "=="]), parts)
    return joined | written("(not {})", parts) | written("({} if {} else {})", *[parts] * 3)


NUMBER = st.recursive(st.sampled_from(NUMBERS), reckoned, max_leaves=5)
ATOM = NUMBER | st.sampled_from(OTHERS)
CONDITION = st.recursive(
    written("({} {} {})", NUMBER, COMPARED, NUMBER) | written("({} {} {})", ATOM, COMPARED, ATOM),
    asked,
    max_leaves=3,
)


def said(work: Callable[[], Any]) -> Any:
    """Return what is answered, or all of what is wrong."""
    try:
        return work()
    except ExpressionError as error:
        return error.message, error.loc, error.hint


@pytest.mark.parametrize("cells", [TAME, WILD], ids=["tame", "wild"])
@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_a_filter_over_columns_says_what_a_spec_says_row_by_row(
    cells: dict[str, st.SearchStrategy[Any]], data: st.DataObject
) -> None:
    text = data.draw(CONDITION | ATOM)
    rows = data.draw(st.lists(st.fixed_dictionaries(cells), min_size=1, max_size=12))
    columns = {name: column([row[name] for row in rows]) for name in cells}
    where = Where.parse(text, list(cells), {"classes": 1000}, ["res"])
    together = said(lambda: where.holds(columns, len(rows)).tolist())
    alone = said(lambda: [where.expr.truth({**row, "classes": 1000}) for row in rows])
    assert together == alone
