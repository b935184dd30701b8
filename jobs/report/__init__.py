"""The contact sheet: one HTML file that shows a merchandiser what a batch brought, and whose each gap is."""

from jobs.report.page import write_report
from jobs.report.thumbnails import Thumbnails

__all__ = ["Thumbnails", "write_report"]
