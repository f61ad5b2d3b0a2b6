"""The JSON Schema (draft 07) of specs and blocks, from the op registry and the block library.

An editor completes and checks with it as one types; mbprof itself does not use it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mbprof.language.source import Map, Scalar
from mbprof.ops import OPS, Op
from mbprof.ops.fields import Kind
from mbprof.output.formats import Formats, to_json
from mbprof.output.model import Screen
from mbprof.spec import zoo
from mbprof.spec.knobs import ARGUMENT_KEYS, KNOB_KEYS
from mbprof.spec.reader import BLOCK_KEYS, ENDPOINTS, INPUT_KEYS, SPEC_KEYS
from mbprof.spec.sections import BUDGET_KEYS, CLAIM_KEYS, SCOPES
from mbprof.spec.steps import FOLLOWERS, FORMS, TABLE_KEYS
from mbprof.spec.wiring import WIRING_KEYS

JSON = dict[str, Any]
_TEXT: JSON = {"type": "string"}
_LIST: JSON = {"type": "array"}
_KEYS: JSON = {"type": "object"}
_VALUE: JSON = {"not": {"type": "null"}}
_SINGLE: JSON = {"not": {"anyOf": [{"type": "null"}, _LIST, _KEYS]}}
_NONE: JSON = {"const": "none"}
"""What takes away a key of what a spec extends, or an entry of one."""
_LIKE = {"like": "a flavour of the same spec that this one is laid over"}
_BRANCH_KEYS = {
    "when": "a condition; where it is false the branch is left out",
    "n": "how often the branch is there, side by side",
}
_NEEDED = {
    "a network": ("input", "body"),
    "a network of several inputs": ("inputs", "body"),
    "a change of another network": ("extend",),
}
"""What a spec can be, with the keys that it needs besides its name."""
_EXAMPLE_KEYS = {
    "in": "its input, such as 56x56x24, or a list of them",
    "defaults": "what ops have unless a row says otherwise",
}
_OP = "an op, or a block of the library or of the spec"
_OWN = "a key of the op or block that the row names, or of the row that it changes"


def schema() -> JSON:
    """Return the schema as plain data."""
    made = _Definitions()
    made.all["step"] = made.step()
    made.all |= made.tables()
    made.all["knob"] = _either(_SINGLE, made.flow("knob_keys", _described(KNOB_KEYS), "default"))
    argument = made.flow("argument_keys", _described(ARGUMENT_KEYS))
    made.all["argument"] = _either(_SINGLE, _LIST, argument)
    made.all["claim"] = _closed(_claim())
    made.all["block"] = _closed(made.block())
    keys = made.spec()
    own = {key: kind for key, kind in keys.items() if key not in ("name", "extend", "flavours")}
    made.all["flavour"] = _closed({**_described(_LIKE), **own})
    made.all["spec"] = {
        **_closed(keys),
        "anyOf": [
            {"title": title, **_has({key: SPEC_KEYS[key] for key in ("name", *needed)})}
            for title, needed in _NEEDED.items()
        ],
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "mbprof spec",
        "type": "object",
        "if": _either(*(_has({key: BLOCK_KEYS[key]}) for key in ("takes", "example"))),
        "then": _ref("block"),
        "else": _ref("spec"),
        "definitions": made.all,
    }


FORMATS: Formats[Callable[[JSON, Screen], str]] = Formats()
"""The one format of a schema."""


@FORMATS.add("json", ".json")
def written(tree: JSON, screen: Screen) -> str:
    """Write a schema as JSON."""
    return to_json(tree) + "\n"


def _ref(name: str) -> JSON:
    return {"$ref": f"#/definitions/{name}"}


def _either(*kinds: JSON) -> JSON:
    return {"anyOf": list(kinds)}


def _doc(doc: str, kind: JSON = _VALUE) -> JSON:
    """Describe what a key holds; what stands beside a reference is not read."""
    return {**({"allOf": [kind]} if "$ref" in kind else kind), "description": doc}


def _described(keys: Mapping[str, str]) -> JSON:
    return {key: _doc(doc) for key, doc in keys.items()}


def _has(keys: Mapping[str, str]) -> JSON:
    """Return what asks for keys, which ajv wants to be described where they are asked for."""
    described = {key: {"description": doc} for key, doc in keys.items()}
    return {"type": "object", "properties": described, "required": list(keys)}


def _closed(properties: JSON) -> JSON:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _each(value: JSON, doc: str, /, **known: JSON) -> JSON:
    """Return what holds an entry for each name; ``doc`` says what the entry of a name is."""
    entry = _doc(doc, _either(value, _NONE))
    return {"type": "object", "properties": known, "additionalProperties": entry}


def _claim() -> JSON:
    table = "columns", "rows"
    kinds: dict[str, JSON] = {
        "at": _each(_VALUE, "the value of a knob"),
        "scope": {"enum": list(SCOPES)},
        "rounding": {"enum": ["nearest", "down"]},
    }
    keys = CLAIM_KEYS | dict.fromkeys(table, "a claim for each row: knobs, and keys of a claim")
    return {key: _doc(doc, kinds.get(key, _VALUE)) for key, doc in keys.items()}


def _named(words: Iterable[str]) -> JSON:
    # A pattern and no const or enum, since completion takes the beginning of these for the whole.
    return {"type": "string", "pattern": f"^({'|'.join(words)})$"}


def _offered(properties: JSON) -> JSON:
    """Return what offers keys and asks for nothing."""
    names = [
        {"description": value["description"], "anyOf": [{"const": key}, {}]}
        for key, value in properties.items()
    ]
    each = {"allOf": [{"type": "object", "propertyNames": name} for name in names]}
    return {"type": "object", **(each if names else {})}


@dataclass
class _Definitions:
    """The parts of the schema that others refer to."""

    all: JSON = field(default_factory=dict)

    def flow(
        self, name: str, properties: JSON, *required: str, open_: bool = False, **whole: JSON
    ) -> JSON:
        """Return what holds keys and is written in braces on one line.

        In the empty places of such a line yaml-language-server offers the keys of ``propertyNames``
        alone, and none at all where ``properties`` hold for the line as it stands. So each key has
        a propertyNames that offers it and allows any, and the properties stand behind an ``if``
        whose ``else`` is the same, which together ask for just them. ``whole`` are the words that
        values are when they are complete; before that, they are offered.
        """
        self.all[name] = {"type": "object", "properties": properties}
        allowed = {} if open_ else {"propertyNames": {"enum": list(properties)}}
        needed = {"required": list(required)} if required else {}
        full = {"allOf": [_ref(name), {"type": "object", "properties": whole}]}
        both = {"if": full if whole else _ref(name), "else": _ref(name)}
        return {**_offered(properties), **needed, **allowed, **both}

    def kind(self, kind: Kind) -> JSON:
        """Return the type of a field, which stands once."""
        self.all[f"{kind.word}_kind"] = dict(kind.schema)
        return _ref(f"{kind.word}_kind")

    def whole(self, kind: Kind) -> JSON:
        """Return what a word of this type is when it is complete, or an argument."""
        self.all[f"{kind.word}_whole"] = _named([*kind.words, r"\$.*"])
        return _ref(f"{kind.word}_whole")

    def spec(self) -> JSON:
        self.all["input"] = self.flow("input_keys", _described(INPUT_KEYS))
        self.all["budget"] = self.flow("budget_keys", _described(BUDGET_KEYS))
        flavours = _each(_ref("flavour"), "what this implementation does differently")
        preset = _each(_VALUE, "the value of a knob", doc=_doc("what it is, in a sentence"))
        table = {
            "columns": _doc("name, and the keys of presets that are rows", _LIST),
            "rows": _doc("a preset for each row", _LIST),
        }
        kinds: dict[str, JSON] = {
            "input": _ref("input"),
            "inputs": _each(_ref("input"), "an input: its channels and resolution, or its shape"),
            "outputs": _either(_LIST, _TEXT),
            "scope": {"enum": list(SCOPES)},
            "endpoints": {"enum": list(ENDPOINTS)},
            "knobs": _each(_ref("knob"), "what the knob is unless it is turned, and its range"),
            "width": _either(_TEXT, _each(_TEXT, "how the key of this name is scaled")),
            "defaults": _each(
                _each(_VALUE, "what the key or argument is unless a row says otherwise"),
                "what rows of the op or block have unless they say otherwise",
                **self.defaults(),
            ),
            "norm": _either(_ref("step"), _TEXT),
            "calls": _each(
                _either(_TEXT, _each(_TEXT, "what is called in layers whose name fits the key")),
                "the class or function that is called, or that of each pattern of names",
            ),
            "blocks": _each(_ref("block"), "what the block takes and does"),
            "body": _ref("table"),
            "head": _ref("table"),
            "flavours": _either(flavours, _TEXT),
            "presets": _either(_each(preset, "the values of knobs", **table), _TEXT),
            "published": _either({"type": "array", "items": _ref("claim")}, _TEXT),
            "budget": _ref("budget"),
            "accept": self.accepted(),
        }
        return {
            key: _doc(doc, _either(kinds[key], _NONE) if key in kinds else _TEXT)
            for key, doc in SPEC_KEYS.items()
        }

    def block(self) -> JSON:
        takes = _each(_ref("argument"), "the argument's type or default, and its meaning")
        known = _described(_EXAMPLE_KEYS)
        kinds: dict[str, JSON] = {
            "takes": takes,
            "body": _ref("table"),
            "example": _each(_VALUE, "an argument of the block", **known),
            "budget": _ref("budget"),
            "accept": self.accepted(),
        }
        return {key: _doc(doc, kinds.get(key, _VALUE)) for key, doc in BLOCK_KEYS.items()}

    def accepted(self) -> JSON:
        return _each(_TEXT, "why the finding is meant to be")

    def tables(self) -> JSON:
        """Return a list of steps, a table of them, and a branch."""
        row = _either(_ref("step"), {**_LIST, "items": _either(_ref("word"), {})})
        changes = _each(row, "what is changed in the row of this number")
        kinds = {
            "names": _TEXT,
            "columns": {"type": "array", "items": _TEXT},
            "rows": _either({"type": "array", "items": row}, changes),
        }
        table = {key: _doc(doc, kinds[key]) for key, doc in TABLE_KEYS.items()}
        branch = table | _described(_BRANCH_KEYS)
        steps: JSON = {"type": "array", "items": _ref("step")}
        return {
            "steps": steps,
            "table": _either(_ref("steps"), _closed(table)),
            "branch": _either(_ref("steps"), _closed(branch)),
        }

    def step(self) -> JSON:
        """Return a row: what its op or block takes, or else the keys of a form."""
        blocks = {name: _arguments(name) for name in zoo.block_names()}
        own = {word: self.op(op) for word, op in OPS.items()} | blocks
        self.all["word"] = {"enum": list(own)}
        known = {"op": _doc(_OP, _named(own))}
        other = {"op": _doc(_OP, _either(_ref("word"), _TEXT))}
        forms = {key: kind for form in FORMS.values() for key, kind in form.keys.items()}
        return {
            "type": "object",
            "allOf": [
                *(self.row(word, properties) for word, properties in own.items()),
                self.flow("wiring_keys", _described(WIRING_KEYS), open_=True),
                {
                    "if": {"type": "object", "properties": known, "required": ["op"]},
                    "else": {
                        "type": "object",
                        "properties": other,
                        "additionalProperties": _doc(_OWN, {}),
                    },
                },
                {
                    "if": _either(*(_has({key: "what makes the row a form"}) for key in FORMS)),
                    "then": {"type": "object", "properties": forms},
                    "else": {
                        "if": _has({"op": _OP}),
                        "else": _offered({"op": other["op"], **forms}),
                    },
                },
            ],
        }

    def row(self, word: str, properties: JSON) -> JSON:
        """Return what holds of the rows of an op or block: no key is required, see defaults."""
        named = {"op": _doc(_OP, _named([word]))}
        condition = {"type": "object", "properties": named, "required": ["op"]}
        # Validators refuse an enum that says a word twice, such as n, which a block can take.
        names = {"enum": [*dict.fromkeys(["op", *properties, *WIRING_KEYS])]}
        kinds = _kinds(OPS[word]) if word in OPS else {}
        whole = {
            key: _doc(properties[key]["description"], self.whole(kind))
            for key, kind in kinds.items()
            if kind.words
        }
        self.all[f"{word}_row"] = self.flow(f"{word}_keys", properties, open_=True, **whole)
        then = {"type": "object", "propertyNames": names, "allOf": [_ref(f"{word}_row")]}
        return {"if": condition, "then": then}

    def defaults(self) -> JSON:
        """Return what each op and block can have by default, after the rows are there."""
        words = [*OPS, *zoo.block_names()]
        return {
            word: _doc(
                f"what rows of {word} have unless they say otherwise",
                _either(_ref(f"{word}_row"), _NONE),
            )
            for word in words
        }

    def op(self, op: type[Op]) -> JSON:
        docs = {key: letter.doc for key, letter in op.letters.items()}
        docs |= {key: f"the {key} that follows" for key in op.after}
        return {key: _doc(docs[key], self.kind(kind)) for key, kind in _kinds(op).items()}


def _kinds(op: type[Op]) -> dict[str, Kind]:
    """Return the keys of an op, those that put others behind it included, with their types."""
    letters = {key: letter.kind for key, letter in op.letters.items()}
    return letters | {key: FOLLOWERS[key] for key in op.after}


def _arguments(name: str) -> JSON:
    block = zoo.block_tree(name)
    takes = block.get("takes") if block else None
    properties: JSON = {}
    for key, entry in (takes.entries if isinstance(takes, Map) else {}).items():
        doc = entry.value.get("doc") if isinstance(entry.value, Map) else None
        properties[key] = _doc(doc.text if isinstance(doc, Scalar) else "argument")
    return properties
