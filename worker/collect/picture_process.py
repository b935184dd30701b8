"""Thumbnails and measures of collected pictures, by a process of lowest priority on which nothing and nobody waits.

Decoding takes more of a processor than all the rest of collecting; in a thread it would keep the interpreter from others.
What the process does not get done, because it is busy or was killed, is made when the batch's files are written: these wait
for every thumbnail, so thumbnails go before measures.
"""

import os
import select
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from jobs.ledger.codec import decode, decode_pair, encode, encode_pair
from jobs.records import Pair, Picture

if TYPE_CHECKING:
    from jobs.flags.measures import Measures
    from jobs.report.thumbnails import Thumbnails

#: Added to the process' nice value where the system has no class for work that only idle processors do.
_NICE: Final = 15
#: Pairs that may wait for their measures.
_UNMEASURED: Final = 20_000
#: Bytes of work read at once.
_READ_BYTES: Final = 1 << 15
#: Bytes of work that wait, where the system can be asked for so many; a pair takes some 400.
_WAITING_BYTES: Final = 1 << 20
#: A process that ended is started again after this long at the earliest, s.
_AGAIN_S: Final = 30.0


class _Work(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line that it reads."""

    #: See `encode_pair`; empty: `file` alone.
    pair: str = ""
    #: Name in the store and SHA-256 of each picture.
    pictures: tuple[tuple[str, str], ...] = ()
    #: A picture that is made small as `key`, and removed.
    file: str = ""
    key: str = ""


class PictureProcess:
    """The process, started with the first work for it; it ends with ours, whatever it is doing."""

    def __init__(self, data_dir: Path, *, flags: bool, clock: Callable[[], float] = time.monotonic) -> None:
        """`flags`: pictures are measured too; `clock`: seconds."""
        self._argv = (sys.executable, "-m", __spec__.name, str(data_dir), "flags" if flags else "")
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._not_before_s = float("-inf")

    def offer(self, pair: Pair, pictures: Sequence[Picture]) -> bool:
        """Has the pictures of a pair made small and measured some time; never waits, never raises."""
        named = tuple((picture.name, picture.sha256) for picture in pictures)
        return self._send(_Work(pair=encode_pair(pair), pictures=named))

    def offer_file(self, key: str, file: Path) -> bool:
        """Has a file made small as `key` and removed some time; False: it is the caller's still."""
        return self._send(_Work(file=str(file), key=key))

    def close(self) -> None:
        """Ends it."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _send(self, work: _Work) -> bool:
        # Up to this length a pipe takes a line whole or not at all.
        line = encode(work).encode() + b"\n"
        if len(line) > select.PIPE_BUF:
            return False
        try:
            pipe = self._pipe()
            return pipe is not None and os.write(pipe, line) == len(line)
        except BlockingIOError:
            return False
        except OSError:
            self.close()
            return False

    def _pipe(self) -> int | None:
        if self._process is not None and self._process.poll() is not None:
            self.close()
        if self._process is None:
            if self._clock() < self._not_before_s:
                return None
            self._not_before_s = self._clock() + _AGAIN_S
            self._process = subprocess.Popen(
                self._argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, pipesize=_WAITING_BYTES
            )
            assert self._process.stdin is not None
            os.set_blocking(self._process.stdin.fileno(), False)
        assert self._process.stdin is not None
        return self._process.stdin.fileno()


def main(data_dir: Path, *, flags: bool) -> None:
    """Works off what stands in standard input until that, or the process that wrote it, has ended."""
    from jobs.flags.measures import Measures  # noqa: PLC0415 the collect process itself needs none of it
    from jobs.report.thumbnails import LIGHT_PIXELS, Thumbnails  # noqa: PLC0415

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _yield_to_all()
    thumbnails = Thumbnails(data_dir / "thumbnails", max_pixels=LIGHT_PIXELS)
    measures = Measures(data_dir, thumbnails.of_address)
    measures.sweep()
    unmeasured: deque[_Work] = deque(maxlen=_UNMEASURED)
    parent = os.getppid()
    for line in _lines(unmeasured):
        if os.getppid() != parent:
            return
        # Pillow's decoders raise nearly anything on broken files; the next one may be fine.
        with suppress(Exception):
            if line is None:
                _measure(unmeasured.popleft(), data_dir / "pictures", measures)
                continue
            work = decode(line, _Work)
            if flags and work.pictures:
                unmeasured.append(work)
            _make_small(work, data_dir / "pictures", thumbnails)


def _yield_to_all() -> None:
    """From now on it computes when nobody else wants to, and whoever comes takes its place at once."""
    os.nice(_NICE)
    with suppress(AttributeError, OSError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def _lines(others: Collection[object]) -> Iterator[bytes | None]:
    """The lines of standard input until its end; None while there are none and other work waits."""
    rest = b""
    while True:
        if others and not select.select([sys.stdin], [], [], 0)[0]:
            yield None
            continue
        read = os.read(sys.stdin.fileno(), _READ_BYTES)
        if not read:
            return
        *lines, rest = (rest + read).split(b"\n")
        yield from lines


def _make_small(work: _Work, store: Path, thumbnails: "Thumbnails") -> None:
    from jobs.pictures.store import place  # noqa: PLC0415 see main
    from jobs.pictures.weight import has_many_scans  # noqa: PLC0415
    from jobs.report.thumbnails import INPUT_SIDE  # noqa: PLC0415

    if not work.file:
        pictures = [(place(store, name), sha256) for name, sha256 in work.pictures]
        thumbnails.make_all(decode_pair(work.pair), pictures)
        return
    try:
        content = Path(work.file).read_bytes()
        # Nobody has looked at it yet, and the others wait for the decoder.
        if not has_many_scans(content):
            thumbnails.make(work.key, content, least=INPUT_SIDE)
    finally:
        Path(work.file).unlink(missing_ok=True)


def _measure(work: _Work, store: Path, measures: "Measures") -> None:
    from jobs.flags.measures import key_of  # noqa: PLC0415 see main
    from jobs.pictures.store import place  # noqa: PLC0415

    for name, sha256 in work.pictures:
        pair = decode_pair(work.pair)
        key = key_of(sha256, pair)
        if measures.known(key) is None:
            measures.take(key, place(store, name), pair)


if __name__ == "__main__":
    main(Path(sys.argv[1]), flags=sys.argv[2] == "flags")
