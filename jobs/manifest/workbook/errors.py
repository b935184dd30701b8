"""What goes wrong inside a workbook, before its file's name is put in front of it."""


class WorkbookError(Exception):
    """The workbook cannot be read; the text says why, and what to do."""
