"""Spec and knob values to a graph: rows are expanded, names filled in, shapes inferred."""

from mbprof.network.build.expand import build

__all__ = ["build"]
