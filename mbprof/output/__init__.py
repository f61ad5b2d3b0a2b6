"""The one way out: neutral tables, the formats that write them, stamps, and where they go."""

from mbprof.output.formats import Format, Formats
from mbprof.output.model import Cell, Column, Note, Report, Screen, arranged, columns_report, picked
from mbprof.output.writers import REPORTS, render

__all__ = [
    "REPORTS", "Cell", "Column", "Format", "Formats", "Note", "Report", "Screen", "arranged",
    "columns_report", "picked", "render",
]  # fmt: skip
