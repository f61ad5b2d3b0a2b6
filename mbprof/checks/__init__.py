"""Checks of a design: rules with stable codes, each in one function that says why and whence."""

from mbprof.checks import (
    balance,
    broken,
    budget,
    functions,
    guidelines,
    resolution,
    shortcuts,
    widths,
)
from mbprof.checks.model import RULES, Finding, Rule
from mbprof.checks.run import Checked, check

__all__ = [
    "RULES",
    "Checked",
    "Finding",
    "Rule",
    "balance",
    "broken",
    "budget",
    "check",
    "functions",
    "guidelines",
    "resolution",
    "shortcuts",
    "widths",
]
