"""The contact sheet: what a batch brought, whose each gap is, and what people say of its pictures."""

from jobs.report.page import SERVED_MARK
from jobs.report.sheet import FILE, FOLDER, Sheet
from jobs.report.thumbnails import Thumbnails

__all__ = ["FILE", "FOLDER", "SERVED_MARK", "Sheet", "Thumbnails"]
