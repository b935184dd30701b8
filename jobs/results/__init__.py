"""Results: a batch's files, a projection of the ledger that can be made anew at any time."""

from jobs.results.exporter import Exported, Exporter, output_place
from jobs.results.lines import ResultLine

__all__ = ["Exported", "Exporter", "ResultLine", "output_place"]
