"""A form of step is one class and what is built for it; what walks over steps asks the class."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import pytest

import mbprof
from mbprof.checks.rules.broken import _names
from mbprof.language.record import record
from mbprof.language.source import Map, known_keys, required
from mbprof.network import build as expand
from mbprof.network.frame import Frame, Tensors
from mbprof.ops.fields import FLAG, Bound
from mbprof.pages.zoo import spec_report
from mbprof.spec.model import Step, Table
from mbprof.spec.schema import schema
from mbprof.spec.steps import FORMS, StepReader
from mbprof.spec.wiring import read_wiring

SPEC = """
name: net
input: {channels: 3, res: 8}
knobs: {deep: true}
blocks: {inner: {body: [{op: conv, k: 1, c: 4}]}}
body:
  - {op: conv, k: 3, c: 8}
  - {twice: [{op: inner}, {op: conv, k: 3, c: 8}], if: deep}
"""


@record
class TwiceStep(Step):
    """A table that is run twice where a condition holds."""

    keys: ClassVar[Mapping[str, Any]] = {
        "twice": {"type": "array", "description": "what is run twice"},
        "if": {**FLAG.schema, "description": "whether it is"},
    }

    body: Table
    condition: Bound

    @classmethod
    def read(cls, reader: StepReader, row: Map, known: Mapping[str, object]) -> Self:
        known_keys(row, cls.keys, "a step with twice")
        body = reader.table(required(row, "twice", "a step"), known, "twice")
        return cls(read_wiring(row, known), body, FLAG.read(required(row, "if", "it"), known))

    @property
    def label(self) -> tuple[str, str]:
        return "twice", ""


def built(builder: Any, step: TwiceStep, taken: Tensors, frame: Frame) -> Tensors:
    frame.previous = taken
    for _ in range(1 + step.condition.evaluate(frame.env)):
        builder.table(step.body, frame)
    return frame.previous


@pytest.fixture(autouse=True)
def twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FORMS, "twice", TwiceStep)
    monkeypatch.setitem(expand._STEPS, TwiceStep, built)


def test_a_form_is_read_and_built() -> None:
    spec = mbprof.loads(SPEC)
    once = 8 * 4 + 4 * 8 * 9
    assert spec.build().profile().total.params == 3 * 8 * 9 + 2 * once
    assert spec.build(deep=False).profile().total.params == 3 * 8 * 9 + once


def test_a_form_is_walked_shown_and_in_the_schema() -> None:
    definition = mbprof.loads(SPEC).definition
    assert {"deep", "c"} & _names(definition) == {"deep"}
    step = definition.body.steps[1]
    assert [table.loc.line for table in step.tables] == [8]
    shown = (spec_report(mbprof.loads(SPEC)).text or "").split("body\n")[1]
    assert [line.split() for line in shown.splitlines()] == [
        ["conv", "c=8", "k=3"],
        ["twice"],
        ["inner"],
        ["conv", "c=8", "k=3"],
    ]
    *_, forms = schema()["definitions"]["step"]["allOf"]
    keys = forms["then"]["properties"]
    assert {key: keys[key] for key in TwiceStep.keys} == TwiceStep.keys
