"""The check of local pictures: inside the allowed folders, whole, of a size HiDream takes; then hashed.

Several are looked at at once, ahead of the row whose turn it is; what was found is remembered from command to command.
"""

import hashlib
import os
import stat
import time
import unicodedata
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import filterfalse
from pathlib import Path

from jobs.config.settings import PictureSettings
from jobs.manifest.addresses import is_address, scheme_of, unreachable
from jobs.pictures.verdict import PictureError, Remark, Verdict, rules, too_many_bytes
from jobs.pictures.verdicts import Stamp, Verdicts
from jobs.planned_files import MOST_BYTES
from jobs.records import BadRow, LocalFile, Row, Source, Url

__all__ = ["LocalPictures", "PictureError"]

#: Texts of rows whose source is remembered.
_REMEMBERED = 20_000
#: Characters of https://, and hosts that are remembered.
_SCHEME_CHARS = 8
_HOSTS = 1000
#: Pictures looked at at once: decoding one may take 60 MB, making sure of a large one more.
_AT_ONCE = min(4, os.cpu_count() or 1)
#: Rows whose pictures are begun before their turn.
_AHEAD = 4 * _AT_ONCE


class LocalPictures:
    """Turns what a row says into a source, looking at each file once as long as it does not change."""

    def __init__(
        self,
        settings: PictureSettings,
        folder: Path,
        *,
        extracted: Path | None = None,
        verdicts: Path | None = None,
    ) -> None:
        """Takes the limits and the folder that relative paths begin at.

        Args:
            settings: the limits.
            folder: where relative paths begin.
            extracted: where pictures lie that stood in a workbook; they count as lying beside it.
            verdicts: the file in which is remembered what was found; None: for this process only.
        """
        self._settings = settings
        #: Beginnings of addresses, up to the slash behind the host, that HiDream may reach.
        self._reachable: set[str] = set()
        self._all_hosts = settings.private_hosts == "allow"
        self._folder = folder.resolve()
        self._roots = tuple(root.resolve() for root in settings.roots) or (self._folder,)
        if extracted is not None:
            self._roots += (extracted.resolve(),)
        self._verdicts = Verdicts(verdicts, rules(settings))
        #: Text of the row → its path before links are followed, the file as it was, what was found and remarked.
        self._by_text: OrderedDict[str, tuple[str, Stamp, LocalFile, tuple[Remark, ...]]] = OrderedDict()
        self._threads: ThreadPoolExecutor | None = None
        #: Path → the file as it is, and what will be found of it.
        self._under_way: dict[str, tuple[Stamp, Future[tuple[Verdict, int | None]]]] = {}
        #: Pictures that were read, not remembered.
        self.looked_at = 0

    def is_plain(self, text: str) -> bool:
        """Whether a text is an address without a query that may be sent: of a million rows nearly all are, in few steps."""
        end = text.find("/", _SCHEME_CHARS)
        if end > 0 and text[:end] in self._reachable:
            return "?" not in text
        if not is_address(text) or (not self._all_hosts and unreachable(text)):
            return False
        if end > 0 and len(self._reachable) < _HOSTS:
            self._reachable.add(text[:end])
        return "?" not in text

    def source(self, text: str) -> Source:
        """The source that a URL or a path names.

        Raises:
            PictureError: the path leads to no picture that may and can be sent.
        """
        if is_address(text):
            if not self._all_hosts and (why := unreachable(text)):
                raise PictureError(why)
            return Url(url=text)
        known = self._by_text.get(text)
        path = known[0] if known else _as_it_is_called(self._path(text))
        stamp = _stamp(path)
        if known and known[1].content == stamp.content:
            self._by_text.move_to_end(text)
            return known[2]
        real = self._inside(Path(path))
        verdict = self._verdict(str(real), stamp)
        if verdict.why:
            raise PictureError(verdict.why)
        found = LocalFile(path=str(real), sha256=verdict.sha256, jpeg=verdict.jpeg)
        self._by_text[text] = path, stamp, found, verdict.remarks
        if len(self._by_text) > _REMEMBERED:
            self._by_text.popitem(last=False)
        return found

    def remarks(self, text: str) -> tuple[Remark, ...]:
        """What is odd about a picture whose source was just asked for."""
        known = self._by_text.get(text)
        return known[3] if known else ()

    def ahead(self, rows: Iterable[Row | BadRow]) -> Iterator[Row | BadRow]:
        """The rows, each once its pictures, and those of the next few rows, are being looked at."""
        waiting: deque[Row | BadRow] = deque()
        try:
            for row in rows:
                local = isinstance(row, Row) and not all(map(is_address, row.inputs.values()))
                if not waiting and not local:
                    yield row
                    continue
                for text in filterfalse(is_address, row.inputs.values() if local else ()):
                    self._begin(text)
                waiting.append(row)
                if len(waiting) > _AHEAD:
                    yield waiting.popleft()
            while waiting:
                yield waiting.popleft()
        finally:
            self._end()

    def _begin(self, text: str) -> None:
        """Begins to look at a picture in a thread; what is wrong with its path is said by `source`."""
        known = self._by_text.get(text)
        with suppress(PictureError, OSError):
            path = known[0] if known else _as_it_is_called(self._path(text))
            stamp = _stamp(path)
            if known and known[1].content == stamp.content:
                return
            real = str(self._inside(Path(path)))
            if real in self._under_way or self._verdicts.get(real, stamp) is not None:
                return
            if self._threads is None:
                self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="pictures")
            self._under_way[real] = stamp, self._threads.submit(_look, real, stamp, self._settings)

    def _end(self) -> None:
        """Leaves the threads, and what they have begun in vain."""
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown(cancel_futures=True)
        self._under_way.clear()
        self._verdicts.write()
        self._verdicts.close()

    def _verdict(self, real: str, stamp: Stamp) -> Verdict:
        begun = self._under_way.pop(real, None)
        if begun is None or begun[0] != stamp:
            if (known := self._verdicts.get(real, stamp)) is not None:
                return known
            verdict, looked_ns = _look(real, stamp, self._settings)
        else:
            verdict, looked_ns = begun[1].result()
        self.looked_at += 1
        if looked_ns is not None:
            self._verdicts.keep(real, stamp, verdict, looked_ns)
        return verdict

    def _path(self, text: str) -> Path:
        if text.startswith("~"):
            raise PictureError("a path with ~ is not read; give the path from the manifest's folder")
        scheme = scheme_of(text)
        if scheme == "file":
            raise PictureError("file: addresses are not read; give the path from the manifest's folder")
        if scheme and "//" in text:
            raise PictureError(
                f"addresses of the kind {scheme}:// are not read; only http:// and https:// are"
            )
        if not text or "\0" in text:
            raise PictureError("the path is empty or holds a NUL character")
        return self._folder / text

    def _inside(self, path: Path) -> Path:
        """The path with its links followed, if it is inside an allowed folder."""
        real = path.resolve()
        if not any(real.is_relative_to(root) for root in self._roots):
            raise PictureError("the file is outside the folders that pictures may come from (pictures.roots)")
        return real


class _UnreadError(PictureError):
    """Nothing was found of the picture itself: the next look may find another thing, though the file stays the same."""


def _look(real: str, stamp: Stamp, settings: PictureSettings) -> tuple[Verdict, int | None]:
    """What a file is, and when looking began, ns: digest and proof are of the same bytes. None: not to be remembered."""
    # With Pillow, which manifests of addresses do without.
    from jobs.pictures.inspection import inspect  # noqa: PLC0415

    looked_ns = time.time_ns()
    try:
        content = _content(real, stamp, settings)
        found = inspect(content, settings)
    except _UnreadError as error:
        return Verdict(why=error.why), None
    except MemoryError:
        return Verdict(why="there is no memory to look at it"), None
    except PictureError as error:
        return Verdict(why=error.why), looked_ns
    digest = hashlib.sha256(content).hexdigest()
    return Verdict(sha256=digest, jpeg=found.jpeg, remarks=found.remarks), looked_ns


def _as_it_is_called(path: Path) -> str:
    """The path, or that of a file whose name is written with other characters but looks the same.

    A Mac writes ü as u and a mark, others as one letter, and a table that has been on both may name either.
    """
    if str(path).isascii() or path.exists():
        return str(path)
    found = Path(path.anchor)
    for part in path.relative_to(path.anchor).parts:
        spelt = (part, unicodedata.normalize("NFC", part), unicodedata.normalize("NFD", part))
        found = next((there for each in spelt if (there := found / each).exists()), found / part)
    return str(found)


def _stamp(path: str) -> Stamp:
    """What tells whether the file is still the same; follows links."""
    try:
        found = os.stat(path)  # noqa: PTH116 every row of a run asks, and a Path costs more than the call
    except (FileNotFoundError, NotADirectoryError):
        hint = "; write / instead of \\ in paths" if "\\" in path else ""
        raise PictureError(f"there is no such file{hint}") from None
    except OSError as error:
        raise PictureError(f"the file cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(found.st_mode):
        raise PictureError(
            "this is a folder" if stat.S_ISDIR(found.st_mode) else "this is not an ordinary file"
        )
    return _stamp_of(found)


def _stamp_of(status: os.stat_result) -> Stamp:
    return Stamp(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _content(real: str, stamp: Stamp, settings: PictureSettings) -> bytes:
    """The file's bytes, if it is still the one that was looked at; never waits on a pipe put in its place."""
    if not stamp.size:
        raise PictureError("the file is empty")
    most = max(settings.max_bytes, MOST_BYTES if settings.convert == "auto" else 0)
    if stamp.size > most:
        raise too_many_bytes(stamp.size, settings.max_bytes)
    try:
        descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        with open(descriptor, "rb") as file:  # noqa: PTH123 a descriptor has no path
            opened = os.fstat(descriptor)
            content = file.read(stamp.size + 1)
            ended = os.fstat(descriptor)
    except OSError as error:
        raise _UnreadError(f"the file cannot be read: {error.strerror}") from None
    if (
        not _stamp_of(opened).content == _stamp_of(ended).content == stamp.content
        or len(content) != stamp.size
    ):
        raise _UnreadError("the file was changed while it was being read")
    return content
