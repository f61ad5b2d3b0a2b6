"""Reports: neutral tables and one function for each format that writes them."""

from mbprof.output.arrange import arranged, columns_report, picked
from mbprof.output.model import Cell, Column, Report
from mbprof.output.writers import REPORTS, layout, render

__all__ = [
    "REPORTS",
    "Cell",
    "Column",
    "Report",
    "arranged",
    "columns_report",
    "layout",
    "picked",
    "render",
]
