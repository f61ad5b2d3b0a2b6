"""Specs and blocks: from a located tree to a frozen Definition."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, replace
from functools import cache, partial

from mbprof.errors import KnobError, Loc, SpecError, unknown
from mbprof.language.fmt import Value
from mbprof.language.record import at_once, mutable
from mbprof.language.source import (
    Entry,
    Map,
    Node,
    Scalar,
    few,
    identifier,
    known_keys,
    mapping,
    one_of,
    required,
    text,
    value_of,
    word,
)
from mbprof.ops import OPS
from mbprof.ops.fields import ARGUMENT_KINDS, NUMBER, SIZE, SIZES, Known, inferred
from mbprof.ops.padding import FAMILIES
from mbprof.spec.knobs import (
    ARGUMENT_KEYS,
    BOUNDS,
    COUNTERS,
    KNOB_KEYS,
    KNOB_TYPES,
    LARGEST_RES,
    Knob,
    builtin,
    checked,
    read,
    row_names,
    sized,
)
from mbprof.spec.model import Argument, Block, Definition, Flavour, Input, Preset, Table
from mbprof.spec.sections import SCOPES, budget, calls, claims, listed, presets, section, stated
from mbprof.spec.shares import check_shares
from mbprof.spec.steps import StepReader
from mbprof.spec.wiring import width_rules

SPEC_KEYS = {
    "name": "the network's name, in lower case with underscores",
    "doc": "what it is, in a sentence",
    "source": "the paper or code that it comes from",
    "family": "the family that it is listed with",
    "extend": "a spec that this one changes: a name of the zoo, or a path",
    "input": "channels, resolution, perhaps scale and sizes: {channels: 3, res: 224}; or a shape",
    "inputs": "several inputs by name, each as input; without res they have that of the first",
    "outputs": "the names of all results, if there are several; else the last row gives the result",
    "padding": "what same means: " + ", ".join(FAMILIES),
    "scope": "what is counted unless the user says otherwise: all (the default) or body",
    "endpoints": "what final_endpoint can name: all (the default) or layers",
    "knobs": "what a user can turn, besides res, output_stride and final_endpoint",
    "width": "how every c of body and head is scaled, such as  int(alpha * c)",
    "defaults": "what an op or block has unless a row says otherwise",
    "norm": "what stands in the place of every bn, such as {op: gn, g: in.c // 8}",
    "calls": "the class or function that a library calls for an op, where it is not PyTorch's own",
    "blocks": "pieces of the network that take arguments",
    "body": "the rows of the network",
    "head": "the rows behind the body, such as the classifier",
    "flavour": "the flavour of the spec as it stands",
    "flavours": "what other implementations do differently",
    "presets": "sets of knob values that go by a name of their own",
    "published": "numbers that others published, with their source",
    "budget": "what it may cost at most: {macs: 300M, params: 4M, peak: 320KB, dtype: int8}",
    "accept": "findings of mbprof check that are meant to be, by code, each with its reason",
}
"""The keys of a spec, with what each is."""

BLOCK_KEYS = {
    "name": "the block's name, in a file of its own",
    "doc": "what the block is, in a sentence",
    "source": "the paper or code that it comes from, and the figure",
    "takes": "its arguments, with a default or a type",
    "inputs": "the names of its inputs, x unless given",
    "outputs": "the names of its outputs; what its last step gives unless given",
    "accept": "of a file that is checked by itself: as the key of a spec",
    "budget": "the same",
    "sizes": "the heights and widths that it is meant for, START:STOP:STEP",
    "example": "an input, arguments and defaults that show it: {in: 56x56x24, c: 24}",
    "body": "its steps",
}
"""The keys of a block, with what each is."""

INPUT_KEYS = {
    "channels": "default channels, 3 unless given",
    "res": "default resolution",
    "scale": "a factor of the resolution",
    "sizes": "the heights and widths that it is meant for, START:STOP:STEP",
    "shape": "in place of these the shape of a tensor, such as [197, 192] for tokens",
}
"""The keys of an input, with what each is."""

_SIZED = ("res", "channels")
ENDPOINTS = ("layers", "all")
RESERVED = {"op", "in", "out", "when", "name", "row", "x", "_", *COUNTERS, "true", "false", "none"}
RESERVED |= {"if", "else", "and", "or", "not"}


@mutable
class SpecReader:
    """Reads one spec; ``block_tree`` returns the tree of a shared block, or None."""

    block_tree: Callable[[str], Map | None]
    library_names: Callable[[], list[str]]
    blocks: dict[str, Block] = field(default_factory=dict)
    local: dict[str, Node] = field(default_factory=dict)
    knobs: dict[str, Knob] = field(default_factory=lambda: {**sized(), **builtin()})
    steps: StepReader = field(init=False)

    @at_once
    def spec(self, root: Map, path: str, flavour: str | None = None) -> Definition:
        """Read a spec whose ``extend`` and flavour are already laid over it.

        Raises: SpecError, ExpressionError: with the place and a hint.
        """
        known_keys(root, SPEC_KEYS, "a spec")
        name = word(required(root, "name", "the spec"), "name")
        inputs = self.inputs(root)
        padding = one_of(root, "padding", FAMILIES, "tf-same")
        names = row_names(self.knobs)
        defaults = mapping(root.get("defaults") or Map({}, root.loc), "defaults")
        for key, entry in section(root, "blocks").items():
            identifier(entry.key, "a block")
            if key in OPS:
                raise SpecError(f"{key!r} is an op; a block needs another name", entry.key.loc)
            self.local[key] = entry.value
        self.steps = StepReader(self.block, self.block_names, defaults, names)
        for key, entry in defaults.entries.items():
            fields = mapping(entry.value, f"defaults of {key}")
            if key in OPS:
                known_keys(fields, (*OPS[key].letters, *OPS[key].after), key)
            elif (block := self.block(key)) is not None:
                known_keys(fields, block.takes, f"block {key}")
            else:
                known = [*OPS, *self.block_names()]
                raise unknown("op or block", key, known, entry.key.loc)
        width, head, norm = root.get("width"), root.get("head"), root.get("norm")
        body = self.steps.table(required(root, "body", "the spec"), names, "body")
        if not body.steps:
            raise SpecError("the body has no rows", body.loc)
        behind = self.steps.table(head, names, "head") if head else None
        check_shares(*filter(None, (body, behind)))
        spec = Definition(
            name=name.text,
            doc=text(root, "doc"),
            source=text(root, "source"),
            family=text(root, "family", name.text),
            path=path,
            flavour=flavour or text(root, "flavour") or None,
            inputs=inputs,
            outputs=distinct(listed(root, "outputs"), "output"),
            sizes=stated(section(root, "input").get("sizes"), LARGEST_RES),
            padding=padding,
            pads="padding" in root.entries,
            scope=one_of(root, "scope", SCOPES, "all"),
            endpoints=one_of(root, "endpoints", ENDPOINTS, "all"),
            knobs=self.knobs,
            width=width_rules(width, names) if width else {},
            defaults=defaults,
            norm=self.steps.norm(mapping(norm, "norm"), names) if norm else None,
            calls=calls(root),
            blocks=self.blocks,
            body=body,
            head=behind,
            flavours=self.flavours(root),
            presets=self.presets(root),
            claims=cache(partial(claims, root.get("published"))),
            budget=budget(root),
            accept={
                code: word(entry.value, f"the reason of {code}")
                for code, entry in section(root, "accept").items()
            },
            loc=name.loc,
            again=partial(_read, self.block_tree, self.library_names, root, path, flavour),
        )
        for local in self.local:
            self.block(local)
        return spec

    def inputs(self, root: Map) -> tuple[Input, ...]:
        """Read ``input:`` or ``inputs:``, and all knobs: those of inputs and those of the spec.

        Raises: SpecError, KnobError: and whatever an expression raises.
        """
        nodes = self.named_inputs(root)
        images = [name for name, node in nodes.items() if "shape" not in node.entries]
        of = {name: f"{name}_" if number else "" for number, name in enumerate(images)}
        knobs: dict[str, Knob] = {}
        of_maps = "several inputs stand under inputs:" if "input" in root.entries else ""
        for name, node in nodes.items():
            known_keys(node, INPUT_KEYS, name, of_maps)
            if name in of:
                knobs |= _sized(name, node, of[name])
            elif wrong := next((key for key in node.entries if key != "shape"), None):
                message = f"{name} has a shape, so that {wrong} says nothing"
                raise SpecError(message, node.entries[wrong].key.loc)
        own = {of[name] + key: (nodes[name], key) for name in images for key in _SIZED}
        knobs |= builtin()
        declared = section(root, "knobs")
        few(declared, "knobs", (root.get("knobs") or root).loc)
        for key, entry in declared.items():
            identifier(entry.key, "a knob", RESERVED)
            node, said = own.get(key, (root, ""))
            if said == "res" or (said and knobs[key].default is not None and node.get(said)):
                where = "inputs" if "inputs" in root.entries else "input"
                hint = f"its default stands in {where}: {said}"
                raise SpecError(f"{key} is a knob already", entry.key.loc, hint)
            knobs[key] = self.knob(key, entry.value, knobs.get(key))
        self.knobs = knobs
        return tuple(self.input(name, node, of.get(name), declared) for name, node in nodes.items())

    def named_inputs(self, root: Map) -> dict[str, Map]:
        """Return the inputs of a spec by their names, of which the only one is ``input``."""
        several = root.get("inputs")
        if several is None:
            return {"input": mapping(required(root, "input", "the spec"), "input")}
        if "input" in root.entries:
            raise SpecError("give either input or inputs", root.entries["inputs"].key.loc)
        entries = mapping(several, "inputs").entries
        few(entries, "inputs", several.loc)
        if not entries:
            hint = "write {left: {channels: 3, res: 224}, right: {channels: 3}}"
            raise SpecError("inputs names none", several.loc, hint)
        for entry in entries.values():
            identifier(entry.key, "an input", RESERVED - {"x"})
        return {name: mapping(entry.value, name) for name, entry in entries.items()}

    def input(
        self, name: str, node: Map, before: str | None, declared: Mapping[str, Entry]
    ) -> Input:
        """Read one input; ``before`` is what the names of its knobs begin with, None if none."""
        if before is None:
            shape = SIZES.read(required(node, "shape", name), self.knobs)
            return Input(name, "", "", None, None, shape, node.loc)
        knob, stated, scale = f"{before}channels", node.get("channels"), node.get("scale")
        # A knob that the spec declares is what it makes of it.
        known = {n: k for n, k in self.knobs.items() if n != knob or n in declared}
        channels = SIZE.read(stated or Scalar(knob if knob in declared else "3", node.loc), known)
        return Input(
            name,
            "" if knob in declared else knob,
            f"{before}res",
            channels,
            NUMBER.read(scale, self.knobs) if scale else None,
            None,
            node.loc,
        )

    def knob(self, name: str, node: Node, usual: Knob | None = None) -> Knob:
        """Read ``name: default`` or ``name: {default: ..., above: ..., doc: ...}``.

        ``usual`` is the knob of that name that every spec has: its type stays, and it may get
        another default and a narrower range.
        """
        what = f"knob {name}"
        if isinstance(node, Scalar):
            node = Map({"default": Entry(Scalar("default", node.loc), node)}, node.loc)
        full = mapping(node, what)
        known_keys(full, KNOB_KEYS, what)
        scalar = word(required(full, "default", what), "default")
        default = value_of(scalar)
        listed_options = listed(full, "one_of")
        options = tuple(map(value_of, listed_options))
        said = text(full, "type") or (usual.kind if usual else "")
        kind = said or _kind_of(options[0] if options else default, scalar)
        if kind not in KNOB_TYPES:
            raise unknown("type", kind, KNOB_TYPES, required(full, "type", what).loc)
        doc = text(full, "doc")
        above, below, least, most = (_bound(full, key) for key in BOUNDS)
        if name == "classes" and least == 1:
            least = 0  # the network without its classifier
        if usual is not None:
            _check_usual(usual, kind, dict(zip(options, listed_options, strict=True)), node.loc)
            least = usual.least if least is None else max(least, usual.least or least)
        bounds = above, below, least, most, options
        knob = Knob(name, default, kind, doc, *bounds, node.loc)
        knob = replace(knob, inferred=not said and not options)
        try:
            return replace(knob, default=checked(knob, default, scalar.loc))
        except KnobError as error:
            raise KnobError(error.message, scalar.loc) from None

    def block_names(self) -> list[str]:
        return [*self.local, *self.library_names()]

    def block(self, name: str) -> Block | None:
        """Return a block of the spec or of the library, read once, or None.

        Raises: SpecError: and whatever its steps raise, traced through the block.
        """
        if name in self.blocks:
            return self.blocks[name]
        node = self.local.get(name)
        shared = node is None
        if shared and name not in OPS:
            node = self.block_tree(name)
        if node is None:
            return None
        block = self.signature(name, mapping(node, f"block {name}"), shared)
        # The signature goes in first, so that a block which calls itself is read once;
        # that it never ends is found when it is expanded.
        self.blocks[name] = block
        names = {**block.takes, **row_names(self.knobs)}
        body = required(mapping(node, name), "body", f"block {name}")
        self.blocks[name] = block = replace(block, body=self.steps.table(body, names, "body"))
        check_shares(block.body)
        return block

    def signature(self, name: str, node: Map, shared: bool) -> Block:
        what = f"block {name}"
        known_keys(node, BLOCK_KEYS, what)
        arguments: dict[str, Argument] = {}
        few(section(node, "takes"), f"arguments of {what}", (node.get("takes") or node).loc)
        for key, entry in section(node, "takes").items():
            identifier(entry.key, "an argument", RESERVED)
            known = {**row_names(self.knobs), **arguments}
            arguments[key] = _argument(key, entry.value, known)
        inputs = tuple(name.text for name in distinct(listed(node, "inputs"), "input"))
        names = inputs if "inputs" in node.entries else ("x",)
        outputs = distinct(listed(node, "outputs"), "output")
        doc, source = text(node, "doc"), text(node, "source")
        body = Table((), node.loc)
        return Block(name, doc, source, arguments, names, outputs, body, node.loc, shared)

    def flavours(self, root: Map) -> dict[str, Flavour]:
        own = text(root, "flavour")
        flavours = {own: Flavour(own, "the spec as it stands", None)} if own else {}
        allowed = [key for key in SPEC_KEYS if key not in ("name", "extend", "flavours")]
        for name, entry in section(root, "flavours").items():
            changes = mapping(entry.value, f"flavour {name}")
            known_keys(changes, (*allowed, "like"), f"flavour {name}")
            flavours[name] = Flavour(name, text(changes, "doc"), changes)
        return flavours

    def presets(self, root: Map) -> dict[str, Preset]:
        found = {}
        for name, values in presets(root).items():
            known_keys(values, ("doc", *self.knobs), f"preset {name}")
            knobs = {}
            for key, setting in values.entries.items():
                if key != "doc":
                    scalar = word(setting.value, key)
                    knobs[key] = read(self.knobs[key], scalar.text, scalar.loc)
            found[name] = Preset(name, text(values, "doc"), knobs)
        return found


def _read(
    block_tree: Callable[[str], Map | None],
    names: Callable[[], list[str]],
    root: Map,
    path: str,
    flavour: str | None,
) -> Definition:
    return SpecReader(block_tree, names).spec(root, path, flavour)


def _sized(name: str, node: Map, before: str) -> dict[str, Knob]:
    """Return the knobs of an image: its resolution, and its channels where they are a number."""
    knobs = sized(before)
    res, channels = (f"{before}{key}" for key in _SIZED)
    stated = node.get("res") if before else required(node, "res", name)
    if stated is not None:
        scalar = word(stated, "res")
        size = value_of(scalar)
        if size is None:
            raise KnobError(f"{res} is none; it must be {KNOB_TYPES['size']}", scalar.loc)
        knobs[res] = replace(knobs[res], default=checked(knobs[res], size, scalar.loc))
    said = node.get("channels")
    value = 3 if said is None else value_of(word(said, "channels"))
    if isinstance(value, int | float) and not isinstance(value, bool):
        loc = said.loc if said else node.loc
        knobs[channels] = replace(knobs[channels], default=checked(knobs[channels], value, loc))
    return knobs


def distinct(names: tuple[Scalar, ...], what: str) -> tuple[Scalar, ...]:
    """Return names that are there once each.

    Raises: SpecError: one is there twice.
    """
    for number, name in enumerate(names):
        if name.text in [other.text for other in names[:number]]:
            raise SpecError(f"{what} {name.text!r} is there twice", name.loc)
    return names


def _kind_of(value: Value, scalar: Scalar) -> str:
    if value is None:
        wrong = "a knob whose default is none needs a type or one_of"
        raise SpecError(wrong, scalar.loc, "{default: none, type: int}")
    kinds = {bool: "flag", tuple: "size", int: "int", float: "number", str: "name"}
    return kinds[type(value)]


def _check_usual(usual: Knob, kind: str, options: Mapping[Value, Scalar], loc: Loc) -> None:
    """Refuse what makes another knob of one that every spec has."""
    hint = f"every spec has {usual.name}; give a knob of your own another name"
    if kind != usual.kind:
        message = f"{usual.name} is {KNOB_TYPES[usual.kind]} in every spec, not {KNOB_TYPES[kind]}"
        raise SpecError(message, loc, hint)
    for value, option in options.items():
        try:
            checked(usual, value, option.loc)
        except KnobError as error:
            raise KnobError(error.message, option.loc, hint) from None


def _bound(node: Map, key: str) -> float | None:
    value = node.get(key)
    if value is None:
        return None
    scalar = word(value, key)
    number = value_of(scalar)
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise SpecError(f"{key} must be a number, found {scalar.text!r}", scalar.loc)
    return number


def _argument(name: str, node: Node, known: Known) -> Argument:
    """Read ``name: type``, ``name: default`` or ``name: {type: ..., default: ...}``."""
    if isinstance(node, Scalar) and node.text in ARGUMENT_KINDS:
        return Argument(name, ARGUMENT_KINDS[node.text], None, "", node.loc)
    if not isinstance(node, Map):
        kind = inferred(node)
        return Argument(name, kind, kind.read(node, known), "", node.loc)
    what = f"argument {name}"
    known_keys(node, ARGUMENT_KEYS, what)
    default, declared = node.get("default"), node.get("type")
    if declared is not None:
        scalar = word(declared, "type")
        if scalar.text not in ARGUMENT_KINDS:
            raise unknown("type", scalar.text, ARGUMENT_KINDS, scalar.loc)
        kind = ARGUMENT_KINDS[scalar.text]
    elif default is not None:
        kind = inferred(default)
    else:
        raise SpecError(f"{what} needs a type or a default", node.loc)
    bound = kind.read(default, known) if default else None
    return Argument(name, kind, bound, text(node, "doc"), node.loc)
