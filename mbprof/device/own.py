"""What a file executes by itself: its own operators, in its own order, on its own types."""

from __future__ import annotations

from typing import Any

from mbprof.device.plan import Buffer, Plan, Rules, Step
from mbprof.language.record import record
from mbprof.network.load import Network
from mbprof.spec.foreign import Program, program


@record
class Own:
    """The convention of a file that says what is executed; ``kinds`` are its tensors' types."""

    kinds: tuple[str, ...]

    @property
    def types(self) -> str:
        """The types of numbers, as a heading says them."""
        return " and ".join(self.kinds)

    def to_dict(self) -> dict[str, Any]:
        """Return the convention as plain data."""
        return Rules().to_dict() | {
            "dtype": self.types,
            "fuse": "as in the file",
            "views": "operators of the file like all others",
            "constants": "not among the live bytes",
            "weights": "not among the live bytes; as stored in the file, shared ones once",
            "biases": "as stored in the file",
        }

    @property
    def said(self) -> str:
        """The convention in a sentence."""
        return (
            f"{self.types}, the types, operators and order of the file; nothing in place; the "
            "input counted; weights apart"
        )


def program_of(network: Network) -> Program | None:
    """Return what the file of a network says of its execution; None where knobs were turned.

    Raises: ExchangeError: the file cannot be read.
    """
    address = network.spec.address
    return program(address) if address and not network.changed else None


def plan_of(own: Program) -> Plan:
    """Return the steps and buffers of a program; a buffer is called as the step that writes it."""
    names = {
        given: f"{step.name}:{port}" if len(step.gives) > 1 else step.name
        for step in own.operators
        for port, given in enumerate(step.gives)
    }
    buffers = tuple(
        Buffer(names.get(number, t.name), t.shape, t.bytes) for number, t in enumerate(own.tensors)
    )
    steps = tuple(Step(o.name, (n,), o.takes, o.gives) for n, o in enumerate(own.operators))
    return Plan(buffers, steps, own.starts, own.ends)
