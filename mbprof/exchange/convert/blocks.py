"""A graph written as a spec in the style of papers: blocks with arguments, repeats, tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mbprof.errors import MbprofError
from mbprof.exchange.convert.arguments import LATE, Arguments, written
from mbprof.exchange.convert.dense import Dense, dense_rows, growing
from mbprof.exchange.convert.flow import Keys, cell, constant, flow, listed, ordered
from mbprof.exchange.convert.repeats import Kind, Line, blocks, prefix_of, resolved
from mbprof.exchange.convert.rows import Row, family_of, rows_of, usual_norm
from mbprof.exchange.convert.runs import CONVS, Call, merged
from mbprof.exchange.draft import image_of, quoted
from mbprof.language.fmt import Shape
from mbprof.network.graph import IMAGE, Edge, Graph, Node
from mbprof.network.load import loads
from mbprof.ops import OPS, Op

_JOINS = {"add": "residual", "concat": "branches", "mul": "gated"}
"""What a block is called by the op in which its paths end."""


def spec_of(graph: Graph, name: str, source: str, scope: str = "all") -> str | None:
    """Return a spec with blocks that compiles to the same graph, None where there are none.

    Every layer of it costs what it costs in the graph, which is checked.
    """
    texts = [
        text for named in (True, False) for text in _Writer(graph, named).texts(name, source, scope)
    ]
    texts.sort(key=lambda text: text.count("\n"))
    return next((text for text in texts if same(text, graph)), None)


def same(text: str, graph: Graph, flat: bool = False) -> bool:
    """Whether a spec compiles to the nodes of a graph: same ops, shapes, windows and facts.

    One that is ``flat`` has no head.
    """
    try:
        made = loads(text).build().compiled
    except MbprofError:
        return False
    ends = [[g.shape(edge) for edge in g.outputs] for g in (made, graph)]
    nodes = [[_costs(node, flat) for node in g.nodes] for g in (made, graph)]
    return nodes[0] == nodes[1] and ends[0] == ends[1]


def _costs(node: Node, flat: bool = False) -> tuple[object, ...]:
    op, taken = node.op, node.in_shapes
    window = op.geometry(taken), [axis.padded for axis in op.axes(taken)]
    scope = "" if flat else node.scope
    return op.word, op.function, taken, node.out_shapes, node.facts, window, scope


@dataclass(slots=True)
class _Writer:
    """Writes one graph; ``named`` says whether its layers keep their names."""

    graph: Graph
    named: bool
    family: str = ""
    rows: list[Row] = field(default_factory=list)
    norm: Op | None = None
    dense: list[Dense] = field(default_factory=list)
    defaults: Keys = field(default_factory=dict)
    tensors: dict[Edge, str] = field(default_factory=dict)

    def texts(self, name: str, source: str, scope: str) -> list[str]:
        """Return specs with more and fewer blocks, the shortest first."""
        graph = self.graph
        if any(node.side for node in graph.nodes):
            return []
        self.family = family_of(graph)
        self.norm = usual_norm(graph)
        chains = {number for chain in growing(graph) for number in chain}
        self.rows = rows_of(graph, self.family, self.norm, chains)
        self.dense = list(dense_rows(self.rows, graph))
        if not self.dense:
            self.rows = rows_of(graph, self.family, self.norm)
        self.defaults = _defaults(self.rows)
        barred = {number for part in self.dense for number in range(part.start, part.end)}
        texts = dict[str | None, None]()
        for widened in (True, False):
            found = blocks(self.rows, graph.outputs, barred, widened)
            tried = (self.written(name, source, scope, found[:n]) for n in range(len(found) + 1))
            texts |= dict.fromkeys(tried)
        return sorted(filter(None, texts), key=lambda text: text.count("\n"))

    def written(self, name: str, source: str, scope: str, kinds: Sequence[Kind]) -> str | None:
        """Return the spec with some blocks."""
        graph, self.tensors = self.graph, {}
        lines = [f"name: {quoted(name)}", f"source: {quoted(source)}", *self.inputs()]
        lines.append(f"padding: {self.family}")
        if scope != "all":
            lines.append(f"scope: {scope}")
        usual = {"conv": self.defaults, "bn": self.norms}
        if said := [f"{word}: {flow(keys)}" for word, keys in usual.items() if keys]:
            lines.append(f"defaults: {{{', '.join(said)}}}")
        calls, written_blocks, columns = self.blocks(kinds)
        pieces = [instance.piece for kind in kinds for instance in kind.instances]
        spans = [(part.start, part.end) for part in pieces]
        spans += [(part.start, part.end) for part in self.dense]
        inside = {number for start, end in spans for number in range(start, end)}
        begun = tuple(f"{name}/" for call in calls.values() for name in call.names if name)
        calls |= {part.start: self.rounds(part) for part in self.dense}
        items = list(
            merged(
                [
                    calls.get(number) or self.item(row, begun)
                    for number, row in enumerate(self.rows)
                    if number in calls or number not in inside
                ]
            )
        )
        body = [item for item in items if item.scope == "body"]
        head = items[len(body) :]
        if any(item.scope == "body" for item in head) or not body:
            return None
        self.wire(items)
        if written_blocks:
            lines += ["blocks:", *written_blocks]
        if len(graph.results) > 1 or graph.results[0] not in items[-1].made:
            lines.append(f"outputs: [{', '.join(self.tensors[e] for e in graph.results)}]")
        lines += ["body:", *self.table(items, body, columns)]
        if head:
            lines += ["head:", *self.table(items, head, [])]
        return "\n".join([*lines, ""])

    @property
    def norms(self) -> Keys:
        """What all batch norms have that stand as keys of a row, where that is not the default."""
        letters = self.norm.letters.items() if self.norm else ()
        values = {key: getattr(self.norm, letter.attribute) for key, letter in letters}
        return {
            k: constant(v)
            for k, v in values.items()
            if self.norm and v != self.norm.letters[k].default
        }

    def inputs(self) -> list[str]:
        """Return what the spec says of its inputs, and give them their names."""
        images = self.graph.images
        if len(images) == 1:
            self.tensors[Edge(IMAGE, 0)] = "x"
            return [f"input: {image_of(images[0].shape)}"]
        lines = ["inputs:"]
        for port, image in enumerate(images):
            self.tensors[Edge(IMAGE, port)] = image.name
            lines.append(f"  {image.name}: {image_of(image.shape)}")
        return lines

    def blocks(self, kinds: Sequence[Kind]) -> tuple[dict[int, Call], list[str], list[str]]:
        """Return the calls of blocks by the rows where they begin, the blocks, the columns."""
        calls: dict[int, Call] = {}
        lines: list[str] = []
        columns: list[str] = []
        used: set[str] = set()
        for kind in kinds:
            word = _word(kind, self.rows, used)
            used.add(word)
            taken = [_shape(self.graph, i.piece.taken) for i in kind.instances]
            made = [_shape(self.graph, i.piece.made) for i in kind.instances]
            arguments = Arguments(kind, self.rows, taken, made)
            prefixes, names = self.prefixes(kind)
            body = self.body(kind, arguments, names)
            arguments.keep(text for keys in body for text in keys.values())
            takes = arguments.takes()
            columns += [name for name in takes if name not in columns]
            lines += [f"  {word}:", f"    takes: {flow(takes)}"] if takes else [f"  {word}:"]
            lines += ["    body:", *(f"      - {flow(keys)}" for keys in body)]
            for number, instance in enumerate(kind.instances):
                piece = instance.piece
                keys = {"op": word, **{k: v for k, v in arguments.given(number).items() if v}}
                scope = self.rows[piece.start].nodes[0].scope
                call = Call((piece.taken,), (piece.made,), keys, (prefixes[number],), scope, True)
                calls[piece.start] = call
        order = sorted(columns, key=LATE.find)
        return calls, lines, order

    def prefixes(self, kind: Kind) -> tuple[list[str], list[str]]:
        """Return what the names of each piece begin with, and the rest of each row of the block."""
        prefixes, rests = [], [set[str]() for _ in kind.shape.forms]
        for instance in kind.instances:
            prefix = prefix_of(instance, self.rows)
            prefixes.append(prefix)
            for place, number in enumerate(instance.rows):
                if number is not None:
                    name = self.rows[number].name
                    inner = name.startswith(prefix) and name[len(prefix) :].lstrip("/.")
                    rests[place].add(inner or "")
        if not self.named or not all(prefixes) or len({*prefixes}) < len(prefixes):
            return [""] * len(prefixes), [""] * len(rests)
        own = [rest.pop() if len(rest) == 1 else "" for rest in rests]
        return prefixes, [name if own.count(name) == 1 else "" for name in own]

    def body(self, kind: Kind, arguments: Arguments, names: Sequence[str]) -> list[Keys]:
        """Return the rows of a block."""
        variants = [resolved(kind.shape, mask)[1] for mask in sorted(kind.masks)]
        masks = sorted(kind.masks)
        rows = []
        for place in range(len(kind.shape.forms)):
            row = self.rows[arguments.rows_at(place)]
            texts = {slot: arguments.text(place, slot) for slot in row.values}
            rows.append(self.keys(row, texts))
        named: dict[tuple[int, int], str] = {(-1, 0): "x"}
        for place, refs in enumerate(kind.shape.wiring):
            there = [v[place] for v, mask in zip(variants, masks, strict=True) if mask[place]]
            single = [self.single(kind, line) for line in there]
            if (said := _said(refs, there, single, named)) is not None:
                rows[place]["in"] = said
        for place, keys in enumerate(rows):
            ports = range(len(self.rows[arguments.rows_at(place)].outputs))
            outs = [named.get((place, port)) for port in ports]
            if any(outs):
                keys["out"] = listed([out or "_" for out in outs])
            if (when := arguments.condition(place)) is not None:
                keys["when"] = when
            if names[place]:
                keys["name"] = names[place]
        return [ordered(keys) for keys in rows]

    def single(self, kind: Kind, line: Line) -> bool:
        """Whether what stands before a row of a block has one output."""
        place = line.previous[0]
        numbers = (i.rows[place] for i in kind.instances) if place >= 0 else ()
        return all(len(self.rows[n].outputs) == 1 for n in numbers if n is not None)

    def keys(self, row: Row, texts: Mapping[tuple[str, int], str]) -> Keys:
        """Return the keys of a row but its wiring; ``texts`` are those of its values."""
        op = row.op
        keys: Keys = {"op": op.word}
        default = self.defaults if op.word in CONVS else self.norms if op.folds else {}
        for key, said in row.form.keys:
            letter = op.letters[key]
            value: str | None = None if said is None else constant(said)
            if (key, -1) in texts:
                value = texts[key, -1]
            elif (key, 0) in texts and isinstance(said, int):
                value = listed([texts[key, place] for place in range(said)], always=True)
            usual = default.get(key, constant(letter.default, letter.kind.word))
            if letter.required or (value is not None and value != usual):
                keys[key] = value or "none"
        after = {node.op.word for node in row.nodes[1:]}
        for word in op.after:
            if word not in after:
                if word in default:
                    keys[word] = "none" if word == "act" else "false"
                continue
            said = texts["act", -1] if word == "act" else "true"
            if default.get(word) != said:
                keys[word] = said
        return keys

    def item(self, row: Row, begun: tuple[str, ...]) -> Call:
        """Return a row that stands by itself; ``begun`` is how names in blocks begin."""
        keys = self.keys(row, {slot: written(value) for slot, value in row.values.items()})
        if row.shared:
            keys["share"] = f"weights{row.nodes[0].weights}"
        name = row.name if self.named and not row.name.startswith(begun) else ""
        return Call(row.inputs, row.outputs, ordered(keys), (name,), row.nodes[0].scope)

    def rounds(self, part: Dense) -> Call:
        """Return dense connectivity as a line of its own."""
        own = self.rows[part.start : part.start + part.size]
        body = [self.item(row, ())._replace(names=("",)).keys for row in own]
        keys = {"op": "", "repeat": str(part.rounds), "dense": "true"}
        keys["body"] = f"[{', '.join(map(flow, body))}]"
        scope = own[0].nodes[0].scope
        return Call((part.taken,), (part.made,), keys, ("",), scope)

    def wire(self, items: Sequence[Call]) -> None:
        """Give a name to each tensor that another line than the next takes, or that is a result."""
        previous: tuple[Edge, ...] = (Edge(IMAGE, 0),)
        results = self.graph.results
        need = {*results} if len(results) > 1 or results[0] not in items[-1].made else set()
        for item in items:
            need.update(edge for edge in item.taken if (edge,) != previous)
            if item.taken:
                previous = item.made
        for item in items:
            for edge in item.made:
                if edge in need:
                    self.tensors[edge] = f"t{len(self.tensors)}"

    def table(
        self, items: Sequence[Call], part: Sequence[Call], columns: Sequence[str]
    ) -> list[str]:
        """Return the lines of a table; calls of blocks are lists under its columns."""
        previous: tuple[Edge, ...] = (Edge(IMAGE, 0),)
        before = {}
        for item in items:
            before[id(item)] = previous
            if item.taken:
                previous = item.made
        plain = [self.wired(item, before[id(item)]) for item in part]
        calls = [keys for keys, item in zip(plain, part, strict=True) if item.block]
        own = [name for name in columns if any(name in keys for keys in calls)]
        extra = [key for key in ("n", "name") if any(key in keys for keys in calls)]
        place = own.index("s") if "s" in own and "n" in extra else len(own)
        heads = ["op", *own[:place], *extra[:1], *own[place:], *extra[1:]]
        heads = list(dict.fromkeys(heads))
        if len(calls) < 2 or len(heads) > 12:
            return [f"  - {flow(keys)}" for keys in plain]
        lines = [f"  columns: [{', '.join(heads)}]", "  rows:"]
        for keys, item in zip(plain, part, strict=True):
            if item.block and keys.keys() <= {*heads}:
                cells = [cell(keys.get(head, "~")) for head in heads]
                lines.append(f"    - [{', '.join(cells)}]")
            else:
                lines.append(f"    - {flow(keys)}")
        return lines

    def wired(self, item: Call, previous: tuple[Edge, ...]) -> Keys:
        """Return a line with what it takes and what its output is called."""
        keys = dict(item.keys)
        if item.taken and item.taken != previous:
            names = ["_" if (e,) == previous else self.tensors.get(e, "_") for e in item.taken]
            keys["in"] = listed(names)
        if any(edge in self.tensors for edge in item.made):
            keys["out"] = listed([self.tensors.get(edge, "_") for edge in item.made])
        if item.names[0]:
            keys["name"] = item.names[0]
        return ordered(keys)


def _said(
    refs: Sequence[tuple[int, int]],
    there: Sequence[Line],
    single: Sequence[bool],
    named: dict[tuple[int, int], str],
) -> str | None:
    """Return what a row of a block takes, None if that is what the row before gives."""
    if not refs:
        return None
    plain = [
        all(single) and all(line.taken[n] == line.previous for line in there)
        for n in range(len(refs))
    ]
    if len(refs) == 1 and plain[0]:
        return None
    said = []
    for ref, usual in zip(refs, plain, strict=True):
        if not usual and ref not in named:
            named[ref] = f"t{len(named)}"
        said.append("_" if usual else named[ref])
    return listed(said)


def _shape(graph: Graph, edge: Edge) -> Shape:
    return graph.images[edge.port].shape if edge.node == IMAGE else graph.shape(edge)


def _word(kind: Kind, rows: Sequence[Row], used: set[str]) -> str:
    """Return a name for a block, by how it ends."""
    words = [form.words[0] for form in kind.shape.forms]
    base = next((_JOINS[word] for word in reversed(words) if word in _JOINS), "unit")
    name, number = base, 1
    while name in used or name in OPS:
        number += 1
        name = f"{base}_{number}"
    return name


def _defaults(rows: Sequence[Row]) -> Keys:
    """Return what most convolutions have behind them, and whether they have a bias."""
    convs = [row for row in rows if row.op.word in CONVS]
    if len(convs) < 3:
        return {}
    norms = sum(any(node.op.word == "bn" for node in row.nodes[1:]) for row in convs)
    acts = Counter(row.values.get(("act", -1), "none") for row in convs)
    biased = sum(row.op.bias for row in convs)
    usual = {"bn": "true"} if 2 * norms > len(convs) else {}
    functions = [pair for pair in acts.most_common() if pair[0] != "none"]
    if functions and 3 * functions[0][1] > len(convs):
        usual["act"] = functions[0][0]
    return {**usual, "bias": "true"} if 2 * biased > len(convs) else usual
