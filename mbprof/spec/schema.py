"""The JSON Schema (draft 07) of specs, generated from the op registry and the block library.

An editor completes and checks with it as one types; mbprof itself does not use it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mbprof.language.source import Map, Scalar
from mbprof.ops import OPS, Op
from mbprof.output.formats import Formats, to_json
from mbprof.output.model import Screen
from mbprof.spec import zoo
from mbprof.spec.reader import BLOCK_KEYS, ENDPOINTS, INPUT_KEYS, KNOB_KEYS, SPEC_KEYS
from mbprof.spec.sections import BUDGET_KEYS, SCOPES
from mbprof.spec.steps import FOLLOWERS, FORMS
from mbprof.spec.wiring import WIRING_KEYS

JSON = dict[str, Any]
_VALUE: JSON = {"type": ["string", "number", "boolean", "array", "object"]}
_ANYTHING: JSON = {}
_TEXT: JSON = {"type": "string"}
_SETTINGS: JSON = {"type": ["object", "string"]}
_TABLE: JSON = {"$ref": "#/definitions/table"}
_NONE: JSON = {"const": "none"}
"""What takes away a key of what a spec extends, or an entry of one."""


def schema() -> JSON:
    """Return the schema as plain data."""
    knob = _closed(dict.fromkeys(KNOB_KEYS, _ANYTHING), "default")
    block = {key: {**_ANYTHING, "description": doc} for key, doc in BLOCK_KEYS.items()}
    block |= {"takes": {"type": "object", "description": BLOCK_KEYS["takes"]}, "body": _TABLE}
    step = {"$ref": "#/definitions/step"}
    rows = {"type": "array", "items": {"anyOf": [step, {"type": "array"}]}}
    table = {
        "names": {**_TEXT, "description": WIRING_KEYS["name"]},
        "columns": {"type": "array", "items": _TEXT},
        "rows": {"anyOf": [rows, {"type": "object"}]},
    }
    branch = table | {
        "when": {**_VALUE, "description": "a condition; where it is false the branch is left out"},
        "n": {**_VALUE, "description": "how often the branch is there, side by side"},
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "mbprof spec",
        "type": "object",
        "properties": _spec_properties(),
        "additionalProperties": False,
        "anyOf": [
            {"required": ["name", "input", "body"]},
            {"required": ["name", "inputs", "body"]},
            {"required": ["name", "extend"]},
        ],
        "definitions": {
            "step": _step(),
            "steps": {"type": "array", "items": step},
            "table": {"anyOf": [{"$ref": "#/definitions/steps"}, _closed(table)]},
            "branch": {"anyOf": [{"$ref": "#/definitions/steps"}, _closed(branch)]},
            "block": _closed(block),
            "knob": {"anyOf": [{"type": ["string", "number", "boolean"]}, knob]},
        },
    }


FORMATS: Formats[Callable[[JSON, Screen], str]] = Formats()
"""The one format of a schema."""


@FORMATS.add("json", ".json")
def written(tree: JSON, screen: Screen) -> str:
    """Write a schema as JSON."""
    return to_json(tree) + "\n"


def _closed(properties: JSON, *required: str) -> JSON:
    needed = {"required": list(required)} if required else {}
    return {"type": "object", "properties": properties, **needed, "additionalProperties": False}


def _each(value: JSON) -> JSON:
    return {"type": "object", "additionalProperties": {"anyOf": [value, _NONE]}}


def _spec_properties() -> JSON:
    budget = {key: {**_VALUE, "description": doc} for key, doc in BUDGET_KEYS.items()}
    port = _closed({key: {**_VALUE, "description": doc} for key, doc in INPUT_KEYS.items()})
    kinds: dict[str, JSON] = {
        "input": port,
        "inputs": _each(port),
        "outputs": {"type": ["array", "string"]},
        "scope": {"enum": list(SCOPES)},
        "endpoints": {"enum": list(ENDPOINTS)},
        "knobs": _each({"$ref": "#/definitions/knob"}),
        "width": {"type": ["string", "object"]},
        "defaults": _each({"anyOf": [{"type": "object"}, _NONE]}),
        "norm": _SETTINGS,
        "calls": _each({"type": ["string", "object"]}),
        "blocks": _each({"anyOf": [{"$ref": "#/definitions/block"}, _NONE]}),
        "body": _TABLE,
        "head": _TABLE,
        "flavours": _SETTINGS,
        "presets": _SETTINGS,
        "published": {"type": ["array", "string"]},
        "budget": _closed(budget),
        "accept": {"anyOf": [_each(_TEXT), _NONE]},
    }
    return {
        key: {"anyOf": [kinds[key], _NONE], "description": doc}
        if key in kinds
        else {**_TEXT, "description": doc}
        for key, doc in SPEC_KEYS.items()
    }


def _step() -> JSON:
    words = [*OPS, *zoo.block_names()]
    wiring = {key: {**_VALUE, "description": doc} for key, doc in WIRING_KEYS.items()}
    forms = {key: schema for form in FORMS.values() for key, schema in form.keys.items()}
    return {
        "type": "object",
        "properties": {
            "op": {"anyOf": [{"enum": words}, _TEXT], "description": "an op or a block"},
            **wiring,
            **forms,
        },
        "allOf": [
            *(_when_op(word, _op_properties(op)) for word, op in OPS.items()),
            *(_when_op(name, _arguments(name)) for name in zoo.block_names()),
        ],
    }


def _when_op(word: str, properties: JSON) -> JSON:
    # No key is required of a row, because ``defaults:`` can supply it.
    condition = {"properties": {"op": {"const": word}}, "required": ["op"]}
    # Validators refuse an enum that says a word twice, such as n, which a block can take.
    names = {"enum": [*dict.fromkeys(["op", *properties, *WIRING_KEYS])]}
    return {"if": condition, "then": {"properties": properties, "propertyNames": names}}


def _op_properties(op: type[Op]) -> JSON:
    letters, after = op.letters.items(), op.after
    return {
        **{key: {**letter.kind.schema, "description": letter.doc} for key, letter in letters},
        **{
            key: {**FOLLOWERS[key].schema, "description": f"the {key} that follows"}
            for key in after
        },
    }


def _arguments(name: str) -> JSON:
    block = zoo.block_tree(name)
    takes = block.get("takes") if block else None
    properties: JSON = {}
    for key, entry in (takes.entries if isinstance(takes, Map) else {}).items():
        doc = entry.value.get("doc") if isinstance(entry.value, Map) else None
        text = doc.text if isinstance(doc, Scalar) else "argument"
        properties[key] = {**_VALUE, "description": text}
    return properties
