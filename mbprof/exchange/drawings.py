"""A network as a drawing for Graphviz or Mermaid: a box for each layer, in frames for blocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from mbprof.language.fmt import show
from mbprof.language.record import NamedTuple
from mbprof.network.graph import IMAGE, Edge, Graph, layers
from mbprof.output import inert

if TYPE_CHECKING:
    from mbprof.exchange.formats import Options
    from mbprof.network.load import Network


class Box(NamedTuple):
    """A layer, or several, as drawn: what is said of it, its block, and what leads to it.

    ``layers`` are the numbers of its layers in the order of a profile; an input has none.
    """

    number: int
    name: str
    words: str
    shapes: str
    block: str = ""
    sources: tuple[int, ...] = ()
    layers: tuple[int, ...] = ()
    more: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines of text in it."""
        return tuple(filter(None, (self.name, self.words, self.shapes, *self.more)))


def boxes(graph: Graph) -> list[Box]:
    """Return a box for each input and each layer of a graph."""
    homes = {Edge(IMAGE, port): port for port in range(len(graph.images))}
    drawn = [
        Box(port, graph.name_of(Edge(IMAGE, port)), "", show(image.shape))
        for port, image in enumerate(graph.images)
    ]
    first = 0
    for layer in layers(graph.nodes):
        own, number = range(first, first + len(layer)), len(drawn)
        taken = [edge for node in layer for edge in node.inputs if edge.node not in own]
        for at, node in zip(own, layer, strict=True):
            homes.update({Edge(at, port): number for port in range(len(node.out_shapes))})
        words = " ".join(dict.fromkeys(node.op.function or node.op.word for node in layer))
        shapes = ", ".join(map(show, layer[-1].out_shapes))
        sources = tuple(dict.fromkeys(homes[edge] for edge in taken))
        place = number - len(graph.images)
        drawn.append(Box(number, layer[0].layer, words, shapes, layer[0].block, sources, (place,)))
        first += len(layer)
    return drawn


def folded(drawn: Sequence[Box]) -> list[Box]:
    """Return the boxes with those of a block, which stand together, as one.

    >>> drawn = [Box(0, "x", "", "3×8×8"), Box(1, "a", "conv", "4×8×8", "b", (0,), (0,))]
    >>> [box.lines for box in folded([*drawn, Box(2, "c", "relu", "4×8×8", "b", (1,), (1,))])]
    [('x', '3×8×8'), ('b', 'conv, relu', '4×8×8')]
    """
    homes: dict[int, int] = {}
    made: list[Box] = []
    for title, inner in _framed(drawn):
        for group in [inner] if title else [[box] for box in inner]:
            number = len(made)
            homes.update((box.number, number) for box in group)
            sources = dict.fromkeys(homes[source] for box in group for source in box.sources)
            last, layers = group[-1], tuple(layer for box in group for layer in box.layers)
            ways = tuple(source for source in sources if source != number)
            box = last._replace(number=number, sources=ways, layers=layers)
            if title:
                words = Counter(word for box in group for word in box.words.split(" ")[:1])
                said = (f"{n} {word}" if n > 1 else word for word, n in words.items())
                box = box._replace(name=title, words=", ".join(said))
            made.append(box)
    return made


def dot(network: Network, options: Options | None = None) -> str:
    r"""Return a network as Graphviz draws it.

    Source: graphviz.org/doc/info/lang.html.

    >>> from mbprof.network.load import loads
    >>> text = "{name: n, input: {res: 8}, body: [{op: conv, k: 3, c: 4, act: relu, name: stem}]}"
    >>> print(dot(loads(text).build()), end="")
    digraph "n" {
      node [shape=box]
      n0 [label="input\n3×8×8"]
      n1 [label="stem\nconv relu\n4×8×8"]
      n0 -> n1
    }
    """
    return as_dot(network.spec.name, boxes(network.compiled))


def as_dot(name: str, drawn: Sequence[Box]) -> str:
    """Return boxes as Graphviz draws them."""
    lines = [f"digraph {_quoted(name)} {{", "  node [shape=box]"]
    for number, (title, inner) in enumerate(_framed(drawn)):
        made = [f"n{box.number} [label={_quoted(*box.lines)}]" for box in inner]
        if title:
            opened = f"  subgraph cluster_{number} {{"
            lines += [
                opened,
                f"    label={_quoted(title)}",
                *(f"    {line}" for line in made),
                "  }",
            ]
        else:
            lines += [f"  {line}" for line in made]
    lines += [f"  n{source} -> n{box.number}" for box in drawn for source in box.sources]
    return "\n".join([*lines, "}", ""])


def mermaid(network: Network, options: Options | None = None) -> str:
    """Return a network as Mermaid draws it.

    Source: mermaid.js.org/syntax/flowchart.html.

    >>> from mbprof.network.load import loads
    >>> text = "{name: n, input: {res: 8}, body: [{op: conv, k: 3, c: 4, act: relu, name: stem}]}"
    >>> print(mermaid(loads(text).build()), end="")
    flowchart TB
      n0["input<br>3×8×8"]
      n1["stem<br>conv relu<br>4×8×8"]
      n0 --> n1
    """
    return as_mermaid(boxes(network.compiled))


def as_mermaid(drawn: Sequence[Box]) -> str:
    """Return boxes as Mermaid draws them."""
    lines = ["flowchart TB"]
    for number, (title, inner) in enumerate(_framed(drawn)):
        made = [f'n{box.number}["{"<br>".join(map(_coded, box.lines))}"]' for box in inner]
        if title:
            opened = f'  subgraph b{number}["{_coded(title)}"]'
            lines += [opened, *(f"    {line}" for line in made), "  end"]
        else:
            lines += [f"  {line}" for line in made]
    lines += [f"  n{source} --> n{box.number}" for box in drawn for source in box.sources]
    return "\n".join([*lines, ""])


def _framed(drawn: Sequence[Box]) -> Iterator[tuple[str, list[Box]]]:
    """Yield the boxes of each block with its title; a layer that is no block's has none."""
    for block, group in groupby(drawn, lambda box: box.block):
        inner = list(group)
        yield (block if len(inner) > 1 else ""), inner


def _quoted(*lines: str) -> str:
    r"""Return lines as one text of Graphviz, where a backslash is a command."""
    escaped = (inert.line(text).replace("\\", "\\\\").replace('"', '\\"') for text in lines)
    return '"' + r"\n".join(escaped) + '"'


def _coded(text: str) -> str:
    """Return a line as Mermaid shows it, whose signs are written by their numbers."""
    plain = (char if char.isalnum() or char in " ×·/._-:,@" else f"#{ord(char)};" for char in text)
    return "".join(plain)
