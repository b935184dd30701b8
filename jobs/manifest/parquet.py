"""Parquet: columns with types, read in small batches; its library comes with `vton-batch[parquet]`."""

import io
import json
from collections.abc import Iterator
from typing import IO, Any

from jobs.errors import ManifestError
from jobs.manifest.content import Content
from jobs.manifest.records import Record
from jobs.manifest.workbook.archive import Pages
from jobs.manifest.workbook.values import text_of
from jobs.records import Dialect

#: How a file begins.
MAGIC = b"PAR1"
_BATCH_ROWS = 1_000


class Parquet:
    """A Parquet file; its rows count from 1, and line 1 of messages is its schema."""

    dialect = Dialect(bom=True)  # what its cells hold is known at its end

    def __init__(self, content: Content) -> None:
        """Reads the schema.

        Raises:
            ManifestError: the library is missing, or the file is broken.
        """
        self.name = content.name
        if content.packed:
            raise ManifestError(f"{self.name}: is Parquet packed with gzip; unpack it")
        try:
            from pyarrow import ArrowException  # noqa: PLC0415 its library is loaded by who needs it
            from pyarrow.parquet import ParquetFile  # noqa: PLC0415 as above
        except ImportError:
            raise ManifestError(
                f"{self.name}: Parquet is read with `pip install 'vton-batch[parquet]'`"
            ) from None
        self._errors = (ArrowException, OSError, ValueError)
        self._open = ParquetFile
        self._file: IO[bytes] = content.file
        try:
            self._names = list(self._reader().schema_arrow.names)
        except self._errors as error:
            raise self._broken(error) from error

    def records(self) -> Iterator[Record]:
        """Streams the records from the column names on; may be called again."""
        yield 1, list(self._names), ""
        line = 1
        try:
            for batch in self._reader().iter_batches(batch_size=_BATCH_ROWS):
                columns = [column.to_pylist() for column in batch.columns]
                for values in zip(*columns, strict=True):
                    line += 1
                    cells = [_text(value) for value in values]
                    if any(cells):
                        yield line, cells, ""
        except self._errors as error:
            raise self._broken(error) from error

    def _reader(self) -> Any:
        """A reader of its own: several may be in different places."""
        return self._open(io.BufferedReader(Pages(self._file)), pre_buffer=False)

    def _broken(self, error: Exception) -> ManifestError:
        return ManifestError(
            f"{self.name}: the Parquet file cannot be read: {' '.join(str(error).split())[:200]}"
        )


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else text_of(value)
