"""Laws that hold for every network, tried on random ones."""

from collections.abc import Mapping
from typing import Any

import networkx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mbprof
from mbprof.ops.facts import Facts
from mbprof.spec import zoo

alphas = st.decimals(min_value="0.05", max_value="2", places=2).map(float)
resolutions = st.integers(32, 300)


@pytest.mark.parametrize("name", zoo.names())
@pytest.mark.parametrize("by", ["layer", "block", "op"])
@pytest.mark.parametrize("scope", ["body", "all"])
def test_rows_add_up_to_the_total(name: str, by: str, scope: str) -> None:
    profile = mbprof.load(name).build().profile(scope=scope)
    rows = profile.grouped(by)
    assert sum(row.params for row in rows) == profile.total.params
    assert sum(row.macs for row in rows) == profile.total.macs
    assert sum(row.layers for row in rows) == profile.total.layers
    summed = Facts(*(sum(kind) for kind in zip(*(row.facts for row in rows), strict=True)))
    assert summed == profile.total.facts


@settings(deadline=None, max_examples=25)
@given(alphas, resolutions, resolutions)
def test_params_do_not_depend_on_the_resolution(alpha: float, one: int, two: int) -> None:
    spec = mbprof.load("mobilenet_v1")
    totals = [spec.build(alpha=alpha, res=res).profile().total for res in (one, two)]
    assert totals[0].params == totals[1].params
    assert (totals[0].macs <= totals[1].macs) == (one <= two) or totals[0].macs == totals[1].macs


@settings(deadline=None, max_examples=25)
@given(alphas, alphas, resolutions)
def test_a_wider_network_never_costs_less(one: float, two: float, res: int) -> None:
    spec = mbprof.load("mobilenet_v1")
    low, high = (spec.build(alpha=a, res=res).profile().total for a in sorted((one, two)))
    assert low.params <= high.params
    assert low.macs <= high.macs


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


@pytest.mark.parametrize("name", zoo.names())
def test_the_graph_is_the_network(name: str) -> None:
    network = mbprof.load(name).build()
    graph = network.graph
    assert networkx.is_directed_acyclic_graph(graph)
    assert list(graph.predecessors("input")) == []
    assert graph.number_of_nodes() == len(network.compiled.nodes) + 1
    costs: Mapping[str, Any] = networkx.get_node_attributes(graph, "facts")
    total = network.profile(scope="all").total
    assert sum(facts.mac for facts in costs.values()) == total.macs
    ends = [node for node in graph if graph.out_degree(node) == 0]
    assert len(ends) == len(network.compiled.outputs)
    for source, target, data in graph.edges(data=True):
        shape = data["shape"]
        assert shape in graph.nodes[source]["out_shapes"]
        assert shape in graph.nodes[target]["in_shapes"]


@pytest.mark.parametrize("name", zoo.names())
def test_final_endpoints_grow_towards_the_whole_body(name: str) -> None:
    spec = mbprof.load(name)
    body = spec.build().profile(scope="body")
    rows = [row for row in body.rows if row.op != "split"]  # its two outputs are no endpoint
    for row in rows[:: max(1, len(rows) // 5)]:
        part = spec.build(final_endpoint=row.name).profile(scope="body")
        assert part.total.macs <= body.total.macs
        assert part.rows[-1] == row
