"""A network as a drawing for Graphviz or Mermaid: a box for each layer, in frames for blocks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from mbprof.language.fmt import show
from mbprof.network.graph import IMAGE, Edge, Graph, layers
from mbprof.output import inert

if TYPE_CHECKING:
    from mbprof.exchange.formats import Options
    from mbprof.network.load import Network


class Box(NamedTuple):
    """A layer that is drawn: its number, what is said in it, its block, and what leads to it."""

    number: int
    lines: tuple[str, ...]
    block: str
    sources: tuple[int, ...]


def boxes(graph: Graph) -> list[Box]:
    """Return a box for each input and each layer of a graph."""
    homes = {Edge(IMAGE, port): port for port in range(len(graph.images))}
    drawn = [
        Box(port, (graph.name_of(Edge(IMAGE, port)), show(image.shape)), "", ())
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
        drawn.append(Box(number, (layer[0].layer, words, shapes), layer[0].block, sources))
        first += len(layer)
    return drawn


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
    drawn = boxes(network.compiled)
    lines = [f"digraph {_quoted(network.spec.name)} {{", "  node [shape=box]"]
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
    drawn = boxes(network.compiled)
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


def _framed(drawn: list[Box]) -> Iterator[tuple[str, list[Box]]]:
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
    plain = (char if char.isalnum() or char in " ×/._-:,@" else f"#{ord(char)};" for char in text)
    return "".join(plain)
