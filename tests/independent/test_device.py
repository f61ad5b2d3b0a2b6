"""Counts, receptive fields, memory and time against numbers from elsewhere.

`data/device/README.md` says where each file comes from; nothing in them is computed by mbprof.
"""

import csv
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mbprof
from mbprof.device.arena import aligned, arena, offsets
from mbprof.device.calibrate import calibrate
from mbprof.device.latency import latency
from mbprof.device.memory import memory
from mbprof.device.order import best_order
from mbprof.device.plan import Buffer, Over, Plan, Span, Step
from mbprof.device.systolic import Array, Gemm, gemms
from mbprof.device.training import training
from mbprof.language.fmt import parse
from mbprof.network.measures import traffics
from mbprof.network.reach import reached
from mbprof.spec import zoo
from tests.conftest import network

DATA = Path(__file__).parent / "data" / "device"


def rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def knobs(text: str) -> dict[str, Any]:
    return {name: parse(value) for name, _, value in (pair.partition("=") for pair in text.split())}


@pytest.mark.parametrize("row", rows("counts.csv"), ids=lambda row: row["model"])
def test_params_macs_and_activations_are_those_that_fvcore_counts(row: dict[str, str]) -> None:
    found = mbprof.load(f"timm:{row['model']}").build(res=int(row["resolution"]))
    total = found.profile(scope="all").total
    activations = sum(layer.activations for layer in traffics(found.compiled).values())
    computed = total.facts.trainable, total.cost, activations
    assert computed == (int(row["params"]), int(row["macs"]), int(row["activations"]))


def endpoints() -> Iterator[Any]:
    groups: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in rows("receptive-field.csv"):
        groups.setdefault((row["model"], row["resolution"]), []).append(row)
    for name, group in groups.items():
        yield pytest.param(group, id="-".join(name))


@pytest.mark.parametrize("group", list(endpoints()))
def test_published_receptive_fields(group: list[dict[str, str]]) -> None:
    for row in group:
        values = knobs(row["knobs"]) | {"final_endpoint": row["endpoint"]}
        graph = mbprof.load(row["spec"]).build(res=int(row["resolution"]), **values).compiled
        field = reached(graph).fields[graph.outputs[0].node]
        published = tuple(int(row[name]) for name in ("rf", "stride", "padding"))
        assert field is not None, row
        assert (row["endpoint"], *field) == (row["endpoint"], published, published)


@pytest.mark.parametrize(
    "row", rows("memory.csv"), ids=lambda r: "-".join((r["spec"], r["knobs"], r["quantity"]))
)
def test_measured_and_published_memory(row: dict[str, str]) -> None:
    built = network(row["spec"], **knobs(row["knobs"]))
    inplace = row["inplace"].split()
    found = memory(built, dtype=row["dtype"], inplace=inplace)
    computed = {
        "peak": found.peak_bytes,
        "arena": found.arena_bytes,
        "macs": built.profile(scope="all").total.cost,
        "stored": built.profile(scope="all").total.folded,
    }
    assert computed[row["quantity"]] == int(row["value"])


@pytest.mark.parametrize("row", rows("planner.csv"), ids=lambda row: row["case"])
def test_the_planner_places_buffers_as_tflite_micro_does(row: dict[str, str]) -> None:
    spans = [Span(*map(int, text.split(":"))) for text in row["buffers"].split()]
    places = offsets(spans, int(row["alignment"]))
    if row["offsets"]:
        assert places == [int(place) for place in row["offsets"].split()]
    if row["arena"]:
        assert arena(spans, int(row["alignment"])) == int(row["arena"])
    assert arena(spans, 1) < sum(span.size for span in spans)


def test_the_planner_places_random_buffers_as_tflite_micro_does() -> None:
    for row in rows("planner-random.csv"):
        spans = [Span(*map(int, text.split(":"))) for text in row["buffers"].split()]
        alignment = int(row["alignment"])
        places = [int(place) for place in row["offsets"].split()]
        assert (row["case"], offsets(spans, alignment)) == (row["case"], places)
        assert arena(spans, alignment) == int(row["arena"])


SPANS = st.lists(
    st.tuples(st.integers(1, 200), st.integers(0, 9), st.integers(0, 4)).map(
        lambda drawn: Span(drawn[0], drawn[1], drawn[1] + drawn[2])
    ),
    max_size=12,
)


@given(SPANS)
def test_no_two_buffers_that_live_together_share_memory(spans: list[Span]) -> None:
    places = offsets(spans)
    ends = [place + span.size for place, span in zip(places, spans, strict=True)]
    for i, j in permutations(range(len(spans)), 2):
        together = spans[i].first <= spans[j].last and spans[j].first <= spans[i].last
        assert i == j or not together or ends[i] <= places[j] or ends[j] <= places[i]
    live = [sum(aligned(s.size) for s in spans if s.first <= t <= s.last) for t in range(14)]
    assert max(live, default=0) <= arena(spans)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Draw a network of a few steps that take from any before them, some of them in place."""
    count = draw(st.integers(1, 7))
    sizes = draw(st.lists(st.integers(1, 50), min_size=count + 1, max_size=count + 1))
    steps = []
    for number in range(count):
        takes = tuple(draw(st.sets(st.integers(0, number), min_size=1, max_size=3)))
        over = tuple(
            Over(b, min(sizes[b], sizes[number + 1])) for b in takes if draw(st.booleans())
        )
        every = draw(st.booleans()) and sum(sizes[b] for b in takes) == sizes[number + 1]
        steps.append(Step(f"s{number}", (), takes, (number + 1,), over, every))
    taken = {b for step in steps for b in step.takes}
    ends = tuple(b for b in range(1, count + 1) if b not in taken)
    buffers = tuple(Buffer(f"b{n}", (size,), size) for n, size in enumerate(sizes))
    return Plan(buffers, tuple(steps), (0,), ends)


def possible(plan: Plan, order: tuple[int, ...]) -> bool:
    known = {*plan.starts}
    for number in order:
        if not known.issuperset(plan.steps[number].takes):
            return False
        known |= {*plan.steps[number].gives}
    return True


@settings(max_examples=150, deadline=None)
@given(plans())
def test_the_best_order_is_the_best_of_all(plan: Plan) -> None:
    orders = permutations(range(len(plan.steps)))
    lowest = min(plan.peak(order) for order in orders if possible(plan, order))
    best = best_order(plan, seconds=60)
    assert (best.peak, best.bound) == (lowest, lowest)
    assert possible(plan, best.order)


@settings(max_examples=60, deadline=None)
@given(plans())
def test_without_time_the_bound_still_holds(plan: Plan) -> None:
    best, exact = best_order(plan, seconds=-1), best_order(plan, seconds=60)
    assert best.bound <= exact.peak <= best.peak <= plan.peak()
    assert possible(plan, best.order)


@pytest.mark.parametrize("name", zoo.spec_names())
def test_the_best_order_of_a_network_is_no_worse_than_its_own(name: str) -> None:
    found = memory(network(name), dtype="int8", inplace=["add"])
    assert found.best.peak <= found.peak_bytes
    assert found.best.peak == found.plan.peak(found.best.order)
    assert found.best.bound == found.best.peak, "it is proven to be the best"
    assert possible(found.plan, found.best.order)


@pytest.mark.parametrize("row", rows("training.csv"), ids=lambda row: row["network"])
def test_what_training_saves_is_what_pytorch_saves(row: dict[str, str]) -> None:
    found = training(row["network"], res=int(row["resolution"]))
    assert found.saved_bytes_per_image == int(row["saved_bytes_per_image"])


@pytest.mark.parametrize("row", rows("systolic.csv"), ids=lambda row: row["case"] + row["dataflow"])
def test_cycles_of_systolic_arrays(row: dict[str, str]) -> None:
    array = Array(32, 32, row["dataflow"])
    gemm = Gemm(*(int(row[name]) for name in "mkn"))
    assert array.cycles(gemm) == int(row["cycles"])
    if row["mapping"]:
        assert round(100 * array.mapping(gemm), 5) == float(row["mapping"])
        assert round(100 * array.utilisation(gemm), 4) == float(row["utilisation"])
        assert array.reads(gemm) == (int(row["ifmap_reads"]), int(row["filter_reads"]))


def test_the_first_convolution_of_alexnet_is_that_product() -> None:
    nodes = network("alexnet@slim").compiled.nodes
    (gemm,) = next(gemms(node) for node in nodes if node.op.multiplies)
    assert gemm.k == 11 * 11 * 3


def test_measured_times_of_a_phone_are_fitted() -> None:
    macs_alone = calibrate(DATA / "pixel1.csv", ["mac", "constant"])
    assert macs_alone.fit.seconds["mac"] == pytest.approx(0.258e-9, rel=0.02)
    assert macs_alone.error < 0.09
    both = calibrate(DATA / "pixel1.csv")
    assert both.error < macs_alone.error
    assert both.rank > 0.99


def order(numbers: list[float]) -> list[int]:
    return sorted(range(len(numbers)), key=numbers.__getitem__)


BOARDS = {row["board"]: float(row["clock"] or 0) for row in rows("boards.csv")}


@pytest.mark.parametrize("board", BOARDS)
def test_boards_are_slower_than_their_peaks_and_rank_networks_alike(board: str) -> None:
    found = [row for row in rows("boards.csv") if row["board"] == board]
    measured = [1 / float(row["inferences"]) for row in found]
    profile = board if BOARDS[board] else "stm32h7a3"  # The other has no profile.
    predicted = [latency(network(row["network"]), profile).seconds for row in found]
    assert order(predicted) == order(measured)
    if BOARDS[board]:
        for guess, seconds in zip(predicted, measured, strict=True):
            assert 1.5 < seconds / guess < 7


@pytest.mark.parametrize(
    ("board", "a_cycle"),
    [("stm32l4r5", [0.53, 0.49, 0.35, 0.32]), ("stm32f746", [1.02, 0.92, 0.69, 0.72])],
)
def test_macs_a_cycle_of_boards(board: str, a_cycle: list[float]) -> None:
    found = [row for row in rows("boards.csv") if row["board"] == board]
    macs = [network(row["network"]).profile(scope="all").total.cost for row in found]
    assert a_cycle == [
        round(float(row["inferences"]) * cost / BOARDS[board], 2)
        for row, cost in zip(found, macs, strict=True)
    ]


@pytest.mark.parametrize("board", ["stm32l4r5", "stm32h7a3", "stm32u575"])
def test_relative_energy_ranks_networks_as_boards_do(board: str) -> None:
    found = [row for row in rows("boards.csv") if row["board"] == board]
    predicted = []
    for row in found:
        table = mbprof.table(row["network"], columns=["name", "energy"], dtype="int8")
        predicted.append(table.to_dict()["total"]["energy"])
    measured = [float(row["microjoules"]) for row in found]
    assert order(predicted) == order(measured)


def test_weights_beyond_the_chip_of_an_edge_tpu_make_inception_v4_slow() -> None:
    found = rows("coral.csv")
    measured = [float(row["milliseconds"]) / 1000 for row in found]
    predicted = [latency(network(row["network"]), "coral_edge_tpu") for row in found]
    assert all(guess.seconds < time for guess, time in zip(predicted, measured, strict=True))
    assert [bool(guess.streamed) for guess in predicted] == [False, False, False, True]
    assert measured[-1] / predicted[-1].seconds < 1.5
    for times in (measured, [guess.seconds for guess in predicted]):
        assert times[-1] / times[-2] > 20  # 8 times the MACs


def test_a_phone_ranks_networks_as_another_is_predicted_to() -> None:
    found = rows("nn-meter.csv")
    other = [float(row["milliseconds"]) for row in found]
    own = [1000 * latency(network(row["network"]), "pixel_1").seconds for row in found]
    assert order(own) == order(other)
    assert all(1.3 < a / b < 2.5 for a, b in zip(own, other, strict=True))


@pytest.mark.parametrize(("name", "accesses"), [("alexnet", 0.0029), ("vgg16", 0.0035)])
def test_an_accelerator_moves_little_more_than_activations(name: str, accesses: float) -> None:
    graph = network(name).compiled
    convolutions = {
        node.layer for node in graph.nodes if node.op.multiplies and len(node.out_shapes[0]) == 3
    }
    layers = [traffic for layer, traffic in traffics(graph).items() if layer in convolutions]
    maps = sum(traffic.taken + traffic.given for traffic in layers)
    assert 1 < accesses / (maps / sum(traffic.mac for traffic in layers)) < 3


def test_an_ethos_takes_about_what_vela_says() -> None:
    # Vela 5.2, U55-128, High End Embedded: 0.4417 ms.
    found = latency(network("mlperf_tiny_vww"), "ethos_u55_128")
    assert found.seconds == pytest.approx(0.4417e-3, rel=0.25)


SMALL = """
name: small
input: {channels: 3, res: 32}
defaults: {conv: {bias: true, act: relu, p: valid}}
body:
  - {op: conv, k: 3, c: 16, name: Conv1}
  - {op: conv, k: 3, c: 16, name: Conv2}
  - {op: maxpool, k: 2, name: max_pooling2d}
  - {op: flatten, name: flatten}
  - {op: linear, c: 128, act: relu, name: activation}
  - {op: linear, c: 10, name: FC2}
  - {op: softmax, name: softmax}
"""


def test_memory_in_use_at_each_operator() -> None:
    found = memory(mbprof.loads(SMALL), dtype="int8")
    steps = zip(found.plan.steps, found.live, strict=True)
    published = [(row["operator"], int(row["bytes"])) for row in rows("tflite-tools.csv")]
    assert [(step.name, live) for step, live in steps] == published
