"""Conventions: what counts, and how much; one data file for each way of counting."""

from mbprof.network.conventions.model import UNITS, Convention, Count, Measure
from mbprof.network.conventions.reader import DEFAULT, KEYS, load, names

__all__ = ["DEFAULT", "KEYS", "UNITS", "Convention", "Count", "Measure", "load", "names"]
