"""The one way out: neutral tables, the formats that write them, stamps, and where they go."""

from mbprof.output.arrange import arranged, columns_report, picked
from mbprof.output.formats import Format, Formats
from mbprof.output.html import fragment
from mbprof.output.model import Cell, Column, Note, Report, Screen
from mbprof.output.writers import REPORTS, render

__all__ = [
    "REPORTS", "Cell", "Column", "Format", "Formats", "Note", "Report", "Screen", "arranged",
    "columns_report", "fragment", "picked", "render",
]  # fmt: skip
