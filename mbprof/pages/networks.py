"""The page of a network of the zoo: what it is, what it costs, who says what of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from mbprof.compare.side_by_side import stages
from mbprof.language import fmt
from mbprof.language.fmt import plain, spelled
from mbprof.network.load import Network, load
from mbprof.network.sizes import in_words
from mbprof.output import inert, prose
from mbprof.pages.topics import Kind, address_of, facts, joined
from mbprof.pages.zoo import claimed, drawings
from mbprof.published.totals import totals, ways
from mbprof.spec import folders, index, zoo
from mbprof.spec import names as spec_names
from mbprof.spec.model import Definition

Rows = Iterable[list[str]]


def network_page(name: str) -> str:
    """Return the page of a network; a preset's says of which spec, where the rows stand."""
    network = load(name).build()
    definition, stem = network.definition, Path(network.definition.path).stem
    own = stem == name
    parts = [
        f"# {inert.code(name)}",
        f"{prose.text(definition.doc)}.",
        facts(_head(network, own)),
        *_table("What it costs", ["scope", "layers", "params", "MACs"], _scopes(network), 3),
        *_table("Stages", ["output", "layers", "params", "MACs"], _stages(network), 3),
        *_table("What each counter says", ["convention", "params", "cost"], _counted(name), 2),
        *_table("Knobs", ["knob", "default", "range", "what"], _knobs(definition)),
        *_table("Names", ["library", "name", "flavour", "with"], _called().get(name, ())),
        *_table("Presets", ["network", "is this with"], _presets(definition) if own else ()),
        *_table("Published", ["at", "scope", "numbers", "source"], _claims(definition)),
        *(_rows(definition) if own else ()),
        f"{inert.code(f'mbprof table {name}')} costs it layer by layer; guides:"
        " [the zoo beside the papers](../docs/zoo.md),"
        " [which column is what](../docs/guides/columns.md)",
    ]
    return joined(parts)


def _table(title: str, heads: list[str], rows: Rows, numbers: int = 0) -> Iterator[str]:
    found = list(rows)
    if found:
        yield f"## {title}"
        yield prose.table(heads, found, numbers)


def _head(network: Network, own: bool) -> Iterator[tuple[str, str]]:
    definition, stem = network.definition, Path(network.definition.path).stem
    yield "family", prose.text(definition.family)
    yield "source", prose.text(definition.source)
    yield "file", inert.code(definition.path)
    if own:
        yield "input sizes", inert.markdown(in_words(definition, network.knobs))
    else:
        turned = spelled(definition.presets[definition.name.partition("@")[0]].knobs)
        yield "preset of", f"[{inert.code(stem)}]({stem}.md), with {inert.markdown(turned)}"
    yield "same padding", inert.markdown(f"as {definition.padding}")
    for flavour in definition.flavours.values():
        usual = ", the usual one" if flavour.name == definition.flavour else ""
        yield "flavour", f"{inert.code(f'@{flavour.name}')}{usual}: {prose.text(flavour.doc)}"


def _scopes(network: Network) -> Rows:
    usual, profile = network.definition.scope, network.profile()
    words = {"all": "all of it", "body": "without the head"}
    for name, total in profile.totals.items():
        said = f"{prose.code(name)}, {words[name]}{', the usual one' if name == usual else ''}"
        yield [said, *map(fmt.integer, (total.layers, total.params, total.cost))]


def _stages(network: Network) -> Rows:
    for row in stages(network, network.profile(scope="all")):
        yield [row.name, *map(fmt.integer, (row.layers, row.params, row.cost))]


def _counted(name: str) -> Rows:
    """Yield what every convention counts of the whole network as it is."""
    counts = next(t for t in totals([name]) if t.name == name and not t.knobs)
    found: dict[str, tuple[str, list[str]]] = {}
    for way, value in zip(ways(), counts.values, strict=True):
        params, costs = found.get(way.convention, ("", []))
        if way.quantity == "params":
            params = fmt.integer(value)
        else:
            costs = [*costs, f"{fmt.integer(value)} {way.unit}"]
        found[way.convention] = params, costs
    for convention, (params, costs) in found.items():
        link = f"[{prose.code(convention)}](../conventions/{address_of(convention)}.md)"
        yield [link, params, ", ".join(costs)]


def _knobs(definition: Definition) -> Rows:
    for knob in definition.knobs.values():
        words = prose.code(plain(knob.default)), inert.markdown(knob.range), prose.text(knob.doc)
        yield [prose.code(knob.name), *words]


def _presets(definition: Definition) -> Rows:
    for preset in definition.presets.values():
        link = f"[{prose.code(preset.name)}]({address_of(preset.name)}.md)"
        yield [link, inert.markdown(spelled(preset.knobs))]


@lru_cache(maxsize=1)
def _called() -> dict[str, list[list[str]]]:
    """Return what libraries call each network of the zoo."""
    found: dict[str, list[list[str]]] = {}
    for library in spec_names.libraries(folders.folder()):
        for known in spec_names.names(folders.folder(), library).values():
            name, _, flavour = known.spec.partition("@")
            typed = prose.code(f"{library}:{known.name}")
            row = [library, typed, flavour, inert.markdown(spelled(known.knobs))]
            found.setdefault(name, []).append(row)
    return found


def _claims(definition: Definition) -> Rows:
    for claim in definition.published:
        *said, source = claimed(claim)
        yield [*map(inert.markdown, said), prose.text(source)]


def _rows(definition: Definition) -> Iterator[str]:
    lines = [
        line
        for title, drawing in drawings(definition).items()
        for line in ((title, *drawing, "") if drawing else ())
    ]
    yield "## Rows"
    yield inert.fenced("\n".join(lines), "text")


def _brief(name: str) -> str:
    row = (index.rows(folders.folder()) or {}).get(name)
    if row is None:
        return prose.text(load(name).definition.doc)
    counts = f"{fmt.integer(int(row['params']))} params, {fmt.integer(int(row['macs']))} MACs"
    return f"{prose.text(row['doc'])}; {counts}"


NETWORK = Kind(
    "network", "networks", "Networks", "The zoo: what each network is, costs, and is said to cost.",
    zoo.names, network_page, _brief,
)  # fmt: skip
