"""Reports: neutral tables and one function for each format that writes them."""

from mbprof.reports.model import Cell, Column, Report
from mbprof.reports.writers import REPORTS, layout, render

__all__ = ["REPORTS", "Cell", "Column", "Report", "layout", "render"]
