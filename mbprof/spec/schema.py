"""The JSON Schema (draft 07) of specs, generated from the op registry and the block library.

An editor completes and checks with it as one types; mbprof itself does not use it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mbprof.language.source import Map, Scalar
from mbprof.ops import OPS, Op
from mbprof.output.formats import Formats
from mbprof.output.model import Screen
from mbprof.output.plain import to_json
from mbprof.spec import zoo
from mbprof.spec.budget import KEYS as BUDGET_KEYS
from mbprof.spec.claims import SCOPES
from mbprof.spec.reader import BLOCK_KEYS, ENDPOINTS, INPUT_KEYS, KNOB_KEYS, SPEC_KEYS
from mbprof.spec.steps import FOLLOWERS, FORMS, WIRING_KEYS

JSON = dict[str, Any]
_VALUE: JSON = {"type": ["string", "number", "boolean", "array", "object"]}
_ANYTHING: JSON = {}


def schema() -> JSON:
    """Return the schema as plain data."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "mbprof spec",
        "type": "object",
        "properties": _spec_properties(),
        "additionalProperties": False,
        "anyOf": [{"required": ["name", "input", "body"]}, {"required": ["name", "extend"]}],
        "definitions": {
            "step": _step(),
            "steps": {"type": "array", "items": {"$ref": "#/definitions/step"}},
            "table": _table(),
            "block": _block(),
            "knob": _knob(),
        },
    }


FORMATS: Formats[Callable[[dict[str, Any], Screen], str]] = Formats()
"""The one format of a schema."""


@FORMATS.add("json", ".json")
def written(tree: dict[str, Any], screen: Screen) -> str:
    """Write a schema as JSON."""
    return to_json(tree) + "\n"


def _spec_properties() -> JSON:
    table = {"$ref": "#/definitions/table"}
    text: JSON = {"type": "string"}
    kinds: dict[str, JSON] = {
        "input": {
            "type": "object",
            "properties": dict.fromkeys(INPUT_KEYS, _VALUE),
            "additionalProperties": False,
        },
        "scope": {"enum": list(SCOPES)},
        "endpoints": {"enum": list(ENDPOINTS)},
        "knobs": {"type": "object", "additionalProperties": {"$ref": "#/definitions/knob"}},
        "width": {"type": ["string", "object"]},
        "defaults": {"type": "object", "additionalProperties": {"type": "object"}},
        "calls": {"type": "object", "additionalProperties": {"type": ["string", "object"]}},
        "blocks": {"type": "object", "additionalProperties": {"$ref": "#/definitions/block"}},
        "body": table,
        "head": table,
        "flavours": {"type": ["object", "string"]},
        "presets": {"type": ["object", "string"]},
        "published": {"type": ["array", "string"]},
        "budget": {
            "type": "object",
            "properties": {key: {**_VALUE, "description": doc} for key, doc in BUDGET_KEYS.items()},
            "additionalProperties": False,
        },
        "accept": {"type": "object", "additionalProperties": text},
    }
    return {key: {**kinds.get(key, text), "description": doc} for key, doc in SPEC_KEYS.items()}


def _table() -> JSON:
    rows = {"anyOf": [{"$ref": "#/definitions/step"}, {"type": "array"}]}
    return {
        "anyOf": [
            {"$ref": "#/definitions/steps"},
            {
                "type": "object",
                "properties": {
                    "names": {"type": "string", "description": WIRING_KEYS["name"]},
                    "columns": {"type": "array", "items": {"type": "string"}},
                    "rows": {
                        "anyOf": [{"type": "array", "items": rows}, {"type": "object"}],
                    },
                },
                "additionalProperties": False,
            },
            {"const": "none"},
        ]
    }


def _step() -> JSON:
    words = [*OPS, *zoo.block_names()]
    wiring = {key: {**_VALUE, "description": doc} for key, doc in WIRING_KEYS.items()}
    forms = {key: schema for form in FORMS.values() for key, schema in form.keys.items()}
    return {
        "type": "object",
        "properties": {
            "op": {
                "anyOf": [{"enum": words}, {"type": "string"}],
                "description": "an op or a block",
            },
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
    allowed = ["op", *properties, *WIRING_KEYS]
    return {
        "if": condition,
        "then": {"properties": properties, "propertyNames": {"enum": allowed}},
    }


def _op_properties(op: type[Op]) -> JSON:
    properties = {
        key: {**letter.kind.schema, "description": letter.doc} for key, letter in op.letters.items()
    }
    for key in op.after:
        properties[key] = {**FOLLOWERS[key].schema, "description": f"the {key} that follows"}
    return properties


def _arguments(name: str) -> JSON:
    block = zoo.block_tree(name)
    takes = block.get("takes") if block else None
    properties: JSON = {}
    for key, entry in (takes.entries if isinstance(takes, Map) else {}).items():
        doc = entry.value.get("doc") if isinstance(entry.value, Map) else None
        text = doc.text if isinstance(doc, Scalar) else "argument"
        properties[key] = {**_VALUE, "description": text}
    return properties


def _block() -> JSON:
    return {
        "type": "object",
        "properties": {
            **{key: {**_ANYTHING, "description": doc} for key, doc in BLOCK_KEYS.items()},
            "takes": {"type": "object", "description": BLOCK_KEYS["takes"]},
            "body": {"$ref": "#/definitions/table"},
        },
        "required": ["body"],
        "additionalProperties": False,
    }


def _knob() -> JSON:
    return {
        "anyOf": [
            {"type": ["string", "number", "boolean"]},
            {
                "type": "object",
                "properties": dict.fromkeys(KNOB_KEYS, _ANYTHING),
                "required": ["default"],
                "additionalProperties": False,
            },
        ]
    }
