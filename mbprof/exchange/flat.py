"""A compiled network as a draft: what is left of a spec when its blocks are expanded."""

from __future__ import annotations

from mbprof.exchange.draft import Draft
from mbprof.network.graph import IMAGE, Edge, Graph


def draft_of(graph: Graph, name: str, source: str) -> Draft:
    """Return a network as ops on named tensors, one for each node.

    The ends of paths aside are results like any other. A weight that several nodes share is
    shared in the draft.

    >>> from mbprof.network.load import load
    >>> draft = draft_of(load("mobilenet_v1").build().compiled, "flat", "the zoo")
    >>> len(draft.steps), draft.outputs
    (86, {'t85_0': 'output'})
    """
    draft = Draft(name, source)
    for port, image in enumerate(graph.images):
        draft.image(_name(Edge(IMAGE, port)), image.shape, image.name)
    for number, node in enumerate(graph.nodes):
        made = [_name(Edge(number, port)) for port in range(len(node.out_shapes))]
        share = "" if node.weights is None else f"weights{node.weights}"
        draft.add(
            node.op,
            [_name(edge) for edge in node.inputs],
            made,
            node.out_shapes,
            node.name,
            call=node.call,
            block=node.block,
            share=share,
        )
    names = [*graph.names] or ["output"]
    names += [f"aside_{number}" for number in range(1, len(graph.outputs) - len(names) + 1)]
    for edge, called in zip(graph.outputs, names, strict=True):
        draft.output(_name(edge), called)
    return draft


def _name(edge: Edge) -> str:
    return f"image_{edge.port}" if edge.node == IMAGE else f"t{edge.node}_{edge.port}"
