"""The file of a search that evolves: what it asked, where it stands, what it found so far."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mbprof.errors import UsageError
from mbprof.output.files import emit
from mbprof.sweeps.spaces.choices import Choices

EVERY = 2.0
"""Seconds between two times that a search is written down."""
MAX_BYTES = 1 << 26
"""So large is such a file at most."""


@dataclass
class State:
    """A population before a generation is judged: its rows and costs, and the best of all so far.

    ``random`` is what numbers are drawn with.
    """

    generation: int
    rows: Any
    costs: Any
    kept_rows: Any
    kept_costs: Any
    random: Any

    def data(self, found: Choices) -> dict[str, Any]:
        """Return the state as plain data, the best with their knobs."""
        return {
            "generation": self.generation,
            "random": self.random.bit_generator.state,
            "rows": self.rows.tolist(),
            "best_rows": self.kept_rows.tolist(),
            "best": [
                {**dict(zip(found.names, costs, strict=True)), "knobs": found.values(row)}
                for row, costs in zip(self.kept_rows, self.kept_costs.tolist(), strict=True)
            ],
        }

    @classmethod
    def of(cls, data: Mapping[str, Any], found: Choices, random: Any) -> State:
        """Read a state; the costs of its rows are counted anew.

        Raises: ValueError, KeyError, TypeError, OverflowError: it is none.
        """
        import numpy as np

        sizes = np.array(found.sizes)
        tables = []
        for name in ("rows", "best_rows"):
            rows = np.array(data[name], dtype=np.int64).reshape(-1, len(sizes))
            if (rows < 0).any() or (rows >= sizes).any():
                raise ValueError(name)
            costs, made = found.costs(rows) if len(rows) else (rows[:, : len(found.names)], True)
            if not np.all(made):
                raise ValueError(name)
            tables += [rows, costs]
        random.bit_generator.state = data["random"]
        best = [[row[name] for name in found.names] for row in data["best"]]
        if best != tables[3].tolist():
            raise ValueError("best")
        rows, costs, kept_rows, kept_costs = tables
        return cls(int(data["generation"]), rows, costs, kept_rows, kept_costs, random)


@dataclass
class Keeper:
    """Where a search is written down, and what it asks; without a path nowhere."""

    path: str | Path | None
    asked: Mapping[str, Any]
    written: float = 0.0

    def begun(self, found: Choices, random: Any) -> State | None:
        """Return where a search was left, None where it starts.

        Raises: UsageError: the file is of another search, or of none.
        """
        if self.path is None or not Path(self.path).exists():
            return None
        hint = "give another --resume, or remove the file to start anew"
        try:
            with Path(self.path).open("rb") as file:
                data = json.loads(file.read(MAX_BYTES))
            asked = data["search"]
        except OSError as error:
            raise UsageError(f"cannot read {self.path}: {error.strerror}", hint=hint) from None
        except (ValueError, KeyError, TypeError, RecursionError):
            message = f"{self.path} is no search that can be resumed"
            raise UsageError(message, hint=hint) from None
        if asked != json.loads(json.dumps(self.asked)):
            own = self.asked
            other = asked if isinstance(asked, dict) else {}
            names = ", ".join(name for name in own if own[name] != other.get(name)) or "knobs"
            message = f"{self.path} is of another search: it differs in {names}"
            raise UsageError(message, hint=hint)
        try:
            return State.of(data, found, random)
        except (ValueError, KeyError, TypeError, OverflowError):
            message = f"{self.path} does not fit the spec, or was changed"
            raise UsageError(message, hint=hint) from None

    def note(self, state: State, found: Choices, now: bool) -> None:
        """Write down where a search stands, if the last time is a while ago or it has to be."""
        if self.path is None or (not now and time.monotonic() - self.written < EVERY):
            return
        data = {"search": self.asked, **state.data(found)}
        emit(json.dumps(data, indent=None, ensure_ascii=False) + "\n", self.path)
        self.written = time.monotonic()
