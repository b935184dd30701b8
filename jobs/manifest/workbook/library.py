"""The door to python-calamine: values of cells, whatever the form of the workbook."""

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, PasswordError

from jobs.manifest.workbook.archive import Pages
from jobs.manifest.workbook.errors import WorkbookError
from jobs.manifest.workbook.form import Form


def open_values(file: IO[bytes], form: Form) -> CalamineWorkbook:
    """Opens a workbook whose parts have been looked at: the library itself knows no limits.

    Raises:
        WorkbookError: it cannot be read.
    """
    with _translated(), tempfile.TemporaryDirectory(prefix="vton-") as folder:
        # By path the library reads what it needs; from bytes it holds all of the file, pictures too. It believes the
        # suffix, and a path could mean another file by now: hence a name of ours for the open file.
        own = Path(f"/proc/self/fd/{file.fileno()}")
        if not own.exists():
            return CalamineWorkbook.from_filelike(io.BufferedReader(Pages(file)))
        link = Path(folder) / f"workbook{form.value}"
        link.symlink_to(own)
        return CalamineWorkbook.from_path(link)


def sheet_values(workbook: CalamineWorkbook, name: str) -> CalamineSheet:
    """Reads a sheet's values into memory.

    Raises:
        WorkbookError: it cannot be read.
    """
    with _translated():
        return workbook.get_sheet_by_name(name)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except PasswordError:
        raise WorkbookError("is protected with a password; save it without one") from None
    except (CalamineError, OSError, ValueError) as error:
        raise WorkbookError(f"cannot be read: {' '.join(str(error).split())[:200]}") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # the library's own failure; it is no Exception
            raise
        raise WorkbookError("cannot be read; open it in Excel or LibreOffice and save it again") from error
