"""What a network or block costs in closed form: exact, with the conditions under which it holds."""

from mbprof.formulas.closed import Cost, Formula
from mbprof.formulas.request import formula, formula_at

__all__ = ["Cost", "Formula", "formula", "formula_at"]
