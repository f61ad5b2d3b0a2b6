"""Explanations: lines that bridge two conventions exactly, and where numbers come from."""

import csv
import io
import json
import random
import runpy
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mbprof
from mbprof.errors import SpecError
from mbprof.language import counts as written
from mbprof.language.fmt import parse, plain
from mbprof.language.source import Scalar
from mbprof.network import conventions
from mbprof.network.conventions import load as convention
from mbprof.network.graph import fold
from mbprof.network.rows import totals
from mbprof.published.counted import FOLDED, PLAIN, counts, kinds
from mbprof.published.origins import origins
from mbprof.published.tools import QUANTITIES, bridge, explain
from mbprof.spec import zoo
from mbprof.spec.sections import SCOPES
from mbprof.spec.usual import SIDES
from tests.conftest import network, run

DATA = Path(__file__).parent / "origins.csv"
BENCH = runpy.run_path(str(Path(__file__).parents[2] / "bench" / "origins.py"))
NAMES = conventions.names()


def typed(text: str) -> dict[str, Scalar]:
    """Return knobs as the command line gives them."""
    return {name: Scalar.typed(f"--set {name}=", value) for name, value in pairs(text)}


def pairs(text: str) -> list[list[str]]:
    return [pair.split("=") for pair in text.split()]


def rows() -> list[dict[str, str]]:
    with DATA.open(newline="") as file:
        return list(csv.DictReader(file))


def wrong() -> list[dict[str, str]]:
    with DATA.with_name("origins_ranked.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def tables() -> list[dict[str, str]]:
    with DATA.with_name("origins_tables.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def all_tables() -> list[dict[str, str]]:
    with DATA.with_name("tables.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@settings(max_examples=120, deadline=None)
@given(
    st.sampled_from(
        ["mobilenet_v3_large", "googlenet", "densenet121", "shufflenet_v2", "resnet18"]
    ),
    st.sampled_from(NAMES),
    st.sampled_from(NAMES),
    st.sampled_from(SCOPES),
    st.sampled_from(QUANTITIES),
)
def test_the_lines_of_a_bridge_add_up(
    name: str, before: str, after: str, scope: str, quantity: str
) -> None:
    graph = mbprof.load(name).build().compiled
    found = bridge(graph, scope, convention(before), convention(after), quantity)
    first, last = found.ends
    assert sum(line.difference for line in found.lines) == last - first
    assert all(line.difference for line in found.lines)
    back = bridge(graph, scope, convention(after), convention(before), quantity)
    assert back.ends == (last, first)
    assert sum(line.difference for line in back.lines) == first - last


@pytest.mark.parametrize("name", zoo.spec_names())
def test_every_convention_says_of_a_network_what_the_table_says(name: str) -> None:
    built = network(name)
    for tally in explain(built, scope="all").tallies:
        total = built.profile(convention=tally.convention.name, scope="all").total
        assert (tally.params, tally.costs) == (total.params, total.costs)


@pytest.mark.parametrize("name", [*zoo.spec_names()[::12], "lraspp_mobilenet_v3_large"])
def test_counted_at_once_is_what_is_counted_one_by_one(name: str) -> None:
    built = network(name)
    once: dict[tuple[str, str], list[int]] = {}
    for way, value in zip(kinds(), counts(built.compiled), strict=True):
        if way.view == PLAIN:
            once.setdefault((way.convention, way.scope), []).append(value)
    for (convention_, scope), values in once.items():
        total = built.profile(convention=convention_, scope=scope).total
        assert values == [total.params, *total.costs]
    folded = {
        way: n
        for way, n in zip(kinds(), counts(built.compiled), strict=True)
        if way.view == FOLDED and way.convention == "stored" and way.scope == "all"
    }
    assert {"params": built.profile(scope="all").total.folded}.items() <= {
        way.quantity: n for way, n in folded.items()
    }.items()


def test_the_worked_example_of_the_first_pain() -> None:
    """From peers.md: fvcore is MACs, batch norms and the global pool; thop weighs norms twice."""
    network = mbprof.load("mobilenet_v2@torchvision").build()
    lines = {
        after: [
            (line.what, line.difference)
            for line in explain(network, before="kernels", after=after).bridges[0].lines
        ]
        for after in ("fvcore", "thop", "torch", "torchinfo", "ptflops-aten")
    }
    assert lines == {
        "fvcore": [("bn", 13_356_224), ("gap", 62_720)],
        "thop": [("bn", 26_712_448)],
        "torch": [("unit", 300_774_272)],
        "torchinfo": [("bn", 34_112), ("linear", 1_000)],
        "ptflops-aten": [("linear", 1_000)],
    }


def test_rules_of_macs_are_doubled_on_the_way_to_flops_and_back() -> None:
    graph = mbprof.load("mobilenet_v2@torchvision").build().compiled
    thop, calflops = convention("thop"), convention("calflops")
    unit, norm, pool = bridge(graph, "all", thop, calflops, "cost").lines
    assert unit.after == "2 FLOPs for a MAC; the rules of thop are doubled"
    assert norm.before == "2 × (4 * in if norm_scale > 0 else 2 * in)"
    assert (norm.after, norm.difference) == ("2 * in if norm_scale > 0 else in", -40_068_672)
    assert (pool.before, pool.after) == ("–", "in")
    back = bridge(graph, "all", calflops, thop, "cost").lines
    assert [(line.after, line.before) for line in reversed(back)] == [
        (line.before, line.after) for line in (unit, norm, pool)
    ]


def test_the_spread_is_the_one_that_users_complain_about() -> None:
    tallies = explain(mbprof.load("mobilenet_v2@torchvision").build()).tallies
    macs = [tally.value for tally in tallies if tally.convention.unit == "MACs" and tally.value]
    assert (min(macs), max(macs)) == (300_774_272, 520_292_552)


def test_json_has_the_contracted_form() -> None:
    found = json.loads(run("explain", "mobilenet_v2@torchvision", "--format", "json"))
    assert set(found["conventions"]) == set(NAMES)
    assert found["conventions"]["torch"] == {
        "params": 3_504_872, "value": 601_548_544, "unit": "FLOPs", "flops": 601_548_544,
    }  # fmt: skip
    assert found["conventions"]["keras"] == {"params": 3_538_984, "value": None, "unit": None}
    assert (found["version"], found["scope"]) == (mbprof.__version__, "all")
    found = json.loads(
        run("explain", "mobilenet_v2@torchvision", "--number", "314193216", "--format", "json")
    )
    assert [
        {key: each[key] for key in ("convention", "scope", "knobs", "value", "factor")}
        for each in found
    ] == [
        {
            "convention": "fvcore",
            "scope": "all",
            "knobs": {"alpha": 1.0, "res": 224, "classes": 1000},
            "value": 314_193_216,
            "factor": 1,
        }
    ]
    assert [each["likely"] for each in found] == [True]


def table_of(*args: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(run("explain", *args, "--format", "csv"))))


def test_headings_name_every_knob_that_was_turned() -> None:
    for more in ((), ("--to", "fvcore")):
        said = run("explain", "googlenet", "--set", "aux=true", *more, "--format", "md")
        plain_heading = run("explain", "googlenet", *more, "--format", "md")
        assert "aux " in said.partition("\n")[0]
        assert "aux " not in plain_heading.partition("\n")[0]


def test_csv_holds_numbers() -> None:
    views = table_of("mobilenet_v2@torchvision")
    ratios = {view["name"]: view["ratio"] for view in views}
    assert (ratios["kernels"], ratios["torch"], ratios["keras"]) == ("1.0", "2.0", "")
    assert all(float(ratio) > 0 for ratio in ratios.values() if ratio)


def test_csv_has_the_bridges_of_both_quantities() -> None:
    lines = table_of("mobilenet_v2@torchvision", "--from", "kernels", "--to", "fvcore")
    network = mbprof.load("mobilenet_v2@torchvision").build()
    for each in explain(network, before="kernels", after="fvcore").bridges:
        own = [int(line["difference"]) for line in lines if line["quantity"] == each.quantity]
        assert own
        assert sum(own) == each.ends[1] - each.ends[0]


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row['spec']}-{row['number']}")
def test_the_origin_of_a_published_number(row: dict[str, str]) -> None:
    found = origins(row["spec"], row["number"], typed(row["given"])).origins
    at = dict(each.split("=") for each in row["at"].split())
    matching = [
        each
        for each in found
        if each.convention == row["convention"]
        and each.quantity == row["quantity"]
        and each.factor == Fraction(row["factor"])
        and not each.view
    ]
    settings_ = [{name: plain(each.knobs[name]) for name in at} for each in matching]
    assert at in settings_


def test_there_are_enough_published_numbers() -> None:
    assert len(rows()) >= 30


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("mobilenet_v1", "123456789"),
        ("mobilenet_v2", "300775553"),
        ("resnet50", "1.0000123G"),
        ("mobilenet_v1", "7"),
    ],
)
def test_a_number_without_an_origin_is_not_found(spec: str, text: str) -> None:
    found = origins(spec, text)
    assert found.origins == ()
    assert "not found among" in found.verdict


def test_what_is_nearest_is_named_only_if_it_is_near() -> None:
    assert "nearest is" in origins("mobilenet_v1", "123456789").verdict
    far = origins("mobilenet_v1", "7")
    assert (far.closest, "nearest" in far.verdict) == (None, False)


@pytest.mark.parametrize(
    ("text", "low", "high", "rounding"),
    [
        ("569M", 568_500_000, 569_500_000, "nearest"),
        ("~569M Multiply-Adds", 568_500_000, 569_500_000, "nearest"),
        ("5.69e8", 568_500_000, 569_500_000, "nearest"),
        ("580M", 575_000_000, 585_000_000, "to 10M"),
        ("300M", 295_000_000, 305_000_000, "to 10M"),
        ("569,000,000", 568_500_000, 569_500_000, "to 1M"),
        ("1e9", 950_000_000, 1_050_000_000, "nearest"),
    ],
)
def test_the_counts_that_print_like_a_number(text: str, low: int, high: int, rounding: str) -> None:
    assert (low, high, rounding) in written.read(text).ranges


@pytest.mark.parametrize("text", ["5,69M", "1,2345", "56,9,000", "e9", "~", "1e999"])
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(SpecError) as error:
        origins("mobilenet_v1", text)
    assert error.value.message == f"expected a count, found {text!r}"


def test_origins_stand_in_order() -> None:
    """What people do comes first: a count as it is, of the network as it is."""
    found = origins("mobilenet_v2@torchvision", "301M").origins
    assert (found[0].value, found[0].view, found[0].said) == (300_774_272, "", "")
    assert found[0].knobs == {"alpha": 1.0, "res": (224, 224), "classes": 1000}
    bits = [group["chance"] for group in origins("mobilenet_v2@torchvision", "300M").rows]
    assert bits == sorted(bits)


def test_settings_that_change_nothing_are_named_once() -> None:
    found = origins("efficientnet_b0", "5330571 params", typed("classes=1000")).origins
    names = [(each.convention, each.scope, each.view, each.value, each.spec) for each in found]
    assert names
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("spec", "text", "knobs"),
    [
        ("mobilenet_v2@torchvision", "3504872", {"alpha", "classes"}),
        ("mobilenet_v2@torchvision", "2223872", {"alpha"}),
        ("mobilenet_v2@torchvision", "300774272", {"alpha", "res", "classes"}),
        ("resnet50", "4087136256", {"res"}),
        ("vit_b_16", "86567656", {"res", "classes"}),
    ],
)
def test_a_knob_that_changes_nothing_is_never_named(spec: str, text: str, knobs: set[str]) -> None:
    assert set(origins(spec, text).origins[0].knobs) == knobs


@pytest.mark.parametrize("row", wrong(), ids=lambda row: f"{row['spec']}-{row['number']}")
def test_what_people_do_comes_before_what_they_hardly_do(row: dict[str, str]) -> None:
    """Numbers whose first origin was once a wrong one, by chance; the origin is known."""
    found = origins(row["spec"], row["number"], typed(row["given"])).origins[0]
    turned = dict(each.split("=") for each in row["at"].split())
    assert {name: plain(found.knobs[name]) for name in turned} == turned
    said = (found.value, found.scope, found.view, str(found.factor), found.likely)
    assert said == (
        int(row["value"]), row["scope"], row["view"], row["factor"], row["likely"] == "true",
    )  # fmt: skip


@pytest.mark.parametrize("row", tables(), ids=lambda row: f"{row['spec']}-{row['number']}")
def test_numbers_of_tables_are_explained_by_the_tool_that_printed_them(row: dict[str, str]) -> None:
    found = origins(row["spec"], row["number"], typed(row["given"])).origins
    assert row["tool"] in {each.convention for each in found}


def test_claims_whose_number_is_hidden_are_found_again() -> None:
    """The true origin first in nineteen of twenty, without a flavour: some of a bench's sample."""
    asked = list(BENCH["questions"](BENCH["samples"](13, 42, 1)[0]))
    first = [[each.value] == [origin.printed for origin in each.origins()[:1]] for each in asked]
    assert len(first) >= 38
    assert sum(first) >= 0.95 * len(first)


@pytest.mark.parametrize("table", sorted({row["table"] for row in all_tables()}))
def test_tables_are_explained_by_the_tool_that_printed_them(table: str) -> None:
    """Every number of a table, but those that its row says are wrong or not explained."""
    explained = []
    for row in all_tables():
        if row["table"] == table:
            knobs = {name: parse(text) for name, text in pairs(row["given"])}
            graph = network(row["spec"], **knobs).compiled
            counted = totals(fold(graph) if row["view"] else graph, row["tool"], "all")
            value = counted.params if row["of"] == "params" else counted.cost
            # What stands before the network in the tool's file, as the mean and scale of an image.
            amount = value * Fraction(row["times"] or 1) + int(row["plus"] or 0)
            holds = written.read(row["number"]).rounding(amount) is not None
            explained.append((row["printed"], row["of"], "yes" if holds else "no"))
    said = [
        (row["printed"], row["of"], row["explained"])
        for row in all_tables()
        if row["table"] == table
    ]
    assert explained == said


def test_a_preset_and_its_file_are_named_once() -> None:
    specs = {origin.spec for origin in origins(None, "4089184256").origins}
    assert {"resnet50", "resnet50_gn"} <= specs
    assert not {"resnet", "resnet_gn"} & specs


def test_equal_sums_of_other_kinds_are_alternatives() -> None:
    """From mlpack/models#72: biases that batch norms make useless are as many as three kinds."""
    found = origins("mobilenet_v1", "4242920").rows
    assert [(row["view"], row["conventions"]) for row in found] == [
        ("", ["slim-list"]),
        ("with biases", ["trainable"]),
    ]


def test_with_few_digits_it_says_that_a_match_is_no_proof() -> None:
    said = run("explain", "resnet50", "--number", "4.1G")
    assert "With 2 digits a match is no proof" in said
    assert "no proof" not in run("explain", "resnet50", "--number", "4089184256")


@pytest.mark.long
def test_random_numbers_are_hardly_ever_called_likely() -> None:
    """At most one in 30: the chance that stands with a match is what it says."""
    draw = random.Random(7)
    likely = asked = 0
    for name in ("mobilenet_v1", "resnet50", "squeezenet1_0"):
        total = mbprof.load(name).build().profile(scope="all").total
        for size in (total.params, total.cost) * 10:
            text = f"{size * 2 ** draw.uniform(-1, 1) / 1e6:#.5g}"[:-1].rstrip(".")
            found = origins(name, f"{text}M").origins
            asked, likely = asked + 1, likely + any(each.likely for each in found)
    assert likely <= asked / 30


def test_of_which_network_of_the_zoo() -> None:
    found = json.loads(run("explain", "--number", "4111514624", "--all", "--format", "json"))
    assert {each["convention"] for each in found if each["spec"] == "resnet50"} == {
        "paddle",
        "thop@0.0.31",
    }
    among = origins(["mobilenet_v1", "mobilenet_v2@torchvision"], "3504872").origins
    assert {each.spec for each in among} == {"mobilenet_v2@torchvision"}


@settings(max_examples=40, deadline=None)
@given(st.integers(10_000, 10**10), st.sampled_from("kMG"), st.integers(0, 3))
def test_a_count_prints_like_its_own_rounding(count: int, unit: str, digits: int) -> None:
    power = {"k": 3, "M": 6, "G": 9}[unit]
    text = f"{count / 10**power:.{digits}f}{unit}"
    if float(text[:-1]) * 10**power < 1:
        return
    assert written.read(text).rounding(count) is not None


@settings(max_examples=8, deadline=None)
@given(
    st.sampled_from(["mobilenet_v1", "mobilenet_v2", "squeezenet", "mobilenet_v3_small"]),
    st.sampled_from(SIDES),
    st.integers(0, 10**6),
)
def test_any_count_of_the_grid_is_found_again(name: str, side: int, pick: int) -> None:
    graph = mbprof.load(name).build(res=side).compiled
    # Norms are folded for the search where a network has its defaults, or a flavour's.
    ways = zip(kinds(), counts(graph), strict=True)
    values = [value for way, value in ways if way.view == PLAIN]
    value = values[pick % len(values)]
    if value >= 1000:
        assert value in {each.printed for each in origins(name, str(value)).origins}
