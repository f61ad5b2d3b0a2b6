"""Any network as a spec: in the style of papers where it repeats itself, else flat."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

from mbprof.errors import ExchangeError, MbprofError
from mbprof.exchange.convert.blocks import same, spec_of
from mbprof.exchange.convert.idioms import spoken
from mbprof.exchange.draft import aside, quoted
from mbprof.exchange.flat import draft_of
from mbprof.language.fmt import Value
from mbprof.network.graph import Graph
from mbprof.network.load import Network, SpecLike, as_network, loads
from mbprof.spec.knobs import Given

_NAMES = 200
"""So many layers of an op can have a call of their own."""


def convert(spec: SpecLike, /, **knobs: Value) -> str:
    """Return a network as the text of a spec: with blocks, repeats and tables, else flat.

    The text compiles to the same layers in the same order, each with the costs that it had; a
    permute between reshapes is the tokens, maps or shuffle that it makes of what it takes. It is of
    one configuration: knobs of the network have become numbers, but for the resolution.

    Raises: UsageError: no such spec. ExchangeError: what it is cannot be written as a spec.
    MbprofError: there is no network at these values.

    >>> print(convert("resnet18").partition("columns")[2], end="")
    : [op, c, n, s, name]
      rows:
        - {op: conv, c: 64, k: 7, s: 2, name: conv1}
        - {op: maxpool, k: 3, s: 2, p: same, name: maxpool}
        - [residual, 64, 2, 1, "layer1.{j}"]
        - [residual, 128, 2, 2, "layer2.{j}"]
        - [residual, 256, 2, 2, "layer3.{j}"]
        - [residual, 512, 2, 2, "layer4.{j}"]
    head:
      - {op: gap, name: avgpool}
      - {op: linear, c: 1000, name: fc}
    """
    return written(as_network(spec, **knobs))


def converted(address: str, given: Given) -> str:
    """Return what an address names as a spec, see `convert`; ``given`` is what was typed."""
    from mbprof.network.load import load

    return written(load(address, given).build_at(given))


def written(network: Network) -> str:
    """Return a network as a spec, see `convert`."""
    definition, graph = network.definition, spoken(network.compiled)
    name = re.sub(r"\W+", "_", definition.name.lower(), flags=re.ASCII).strip("_") or "network"
    source = definition.source or definition.name
    text = _with_unread(graph, name, source, definition.scope)
    if text is None:
        text = draft_of(graph, name, source).text()
        if not same(text, graph, flat=True):
            message = f"{definition.name} cannot be written as a spec of one piece"
            raise ExchangeError(message, hint="mbprof show prints a spec as it is")
        return text
    called = _with_calls(text, graph)
    return called if same(called, graph) else text


def _with_unread(graph: Graph, name: str, source: str, scope: str) -> str | None:
    """Return a spec with blocks, see `spec_of`, and behind them the values that nothing reads."""
    size = len(graph.nodes)
    while size >= 2 and graph.nodes[size - 1].side and not graph.nodes[size - 2].inputs:
        size -= 2
    rest = graph.nodes[size:]
    outputs = graph.outputs[: len(graph.outputs) - len(rest) // 2]
    text = spec_of(replace(graph, nodes=graph.nodes[:size], outputs=outputs), name, source, scope)
    if text is None or not rest:
        return text
    indent = "  " if "\n  rows:\n" in text.partition("\nbody:")[2] else ""
    asides = (f"{indent}{aside(node.op, node.name)}\n" for node in rest[::2])
    text += "".join(asides)
    return text if same(text, graph) else None


def _with_calls(text: str, graph: Graph) -> str:
    """Return a spec with what a library calls for its ops, where that is not PyTorch's own."""
    try:
        nodes = loads(text).build().compiled.nodes
    except MbprofError:
        return text
    calls: dict[str, dict[str, str]] = {}
    changed = set()
    for node, before in zip(nodes, graph.nodes, strict=True):
        word = node.op.function or node.op.word
        calls.setdefault(word, {})[node.layer] = before.call
        if before.call != node.call:
            changed.add(word)
    lines = []
    for word in sorted(changed):
        usual = Counter(calls[word].values()).most_common(1)[0][0]
        others = {n: c for n, c in calls[word].items() if c != usual}
        said = {"*": usual, **{re.sub(r"([\[*?])", r"[\1]", n): c for n, c in others.items()}}
        if len(said) > _NAMES:
            continue
        entries = ", ".join(f"{quoted(n)}: {quoted(c)}" for n, c in said.items())
        lines.append(f"  {word}: {{{entries}}}" if others else f"  {word}: {quoted(usual)}")
    if not lines:
        return text
    head, mark, rest = text.partition("\npadding:")
    return "\n".join([head, "calls:", *lines]) + mark + rest
