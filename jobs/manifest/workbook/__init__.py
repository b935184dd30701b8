"""Workbooks: .xlsx, .xlsm, .xls, .xlsb and .ods, with the pictures that stand in them."""

from jobs.errors import ManifestError
from jobs.manifest.content import Content
from jobs.manifest.workbook.errors import WorkbookError
from jobs.manifest.workbook.form import Form, form_of

__all__ = ["is_workbook"]


def is_workbook(content: Content) -> bool:
    """Whether a file with a workbook's name or its first bytes is one; False for text, which may be a table.

    Raises:
        ManifestError: it is neither; it says what it is.
    """
    if content.packed:
        raise ManifestError(f"{content.name}: is a workbook packed with gzip; unpack it")
    try:
        return form_of(content.file) is not Form.TEXT
    except WorkbookError as error:
        raise ManifestError(f"{content.name}: {error}") from error
