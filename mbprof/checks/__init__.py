"""Checks of a design: rules with stable codes, each one function that says why, and its source."""

from mbprof.checks import rules
from mbprof.checks.model import RULES, Finding, Rule
from mbprof.checks.run import Checked, check

__all__ = ["RULES", "Checked", "Finding", "Rule", "check", "rules"]
