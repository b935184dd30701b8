"""The door to python-calamine: values of cells, whatever the form of the workbook."""

import io
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, PasswordError

from jobs.manifest.workbook.archive import Pages
from jobs.manifest.workbook.errors import WorkbookError
from jobs.manifest.workbook.form import Form

#: Unicode, as the number that an old workbook has for it.
_UNICODE = (1200).to_bytes(2, "little")


def open_values(file: IO[bytes], form: Form, *, codepage: int = 0) -> CalamineWorkbook:
    """Opens a workbook whose parts have been looked at: the library itself knows no limits.

    Args:
        file: the open workbook.
        form: what it is.
        codepage: where in the file an old workbook names another one than Unicode; 0 for nowhere.

    Raises:
        WorkbookError: it cannot be read.
    """
    with _translated(), tempfile.TemporaryDirectory(prefix="vton-") as folder:
        # By path the library reads what it needs; from bytes it holds all of the file, pictures too. It believes the
        # suffix, and a path could mean another file by now: hence a name of ours for the open file.
        own = Path(f"/proc/self/fd/{file.fileno()}")
        link = Path(folder) / f"workbook{form.value}"
        if codepage:
            _correct(file, link, codepage)
        elif own.exists():
            link.symlink_to(own)
        else:
            return CalamineWorkbook.from_filelike(io.BufferedReader(Pages(file)))
        return CalamineWorkbook.from_path(link)


def sheet_values(workbook: CalamineWorkbook, name: str) -> CalamineSheet:
    """Reads a sheet's values into memory.

    Raises:
        WorkbookError: it cannot be read.
    """
    with _translated():
        return workbook.get_sheet_by_name(name)


def _correct(file: IO[bytes], path: Path, codepage: int) -> None:
    """Makes a copy that names Unicode: its texts are, and the library takes the word of the codepage for it."""
    with path.open("wb") as copy:
        shutil.copyfileobj(Pages(file), copy)
        copy.seek(codepage)
        copy.write(_UNICODE)


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
