"""Work on many items by a few threads: Pillow lets the others run while it decodes."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

T = TypeVar("T")

#: Items that are worked on at once: each may have a decoded picture in memory.
AT_ONCE: Final = min(4, os.cpu_count() or 1)


def at_once(work: Callable[[T], object], items: Iterable[T]) -> Iterator[T]:
    """The items in their order, each when it was worked on; what `work` raises is raised here."""
    ahead: deque[tuple[T, Future[object]]] = deque()

    def first() -> T:
        item, done = ahead.popleft()
        done.result()
        return item

    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="pictures") as threads:
        for item in items:
            ahead.append((item, threads.submit(work, item)))
            if len(ahead) > 2 * AT_ONCE:
                yield first()
        while ahead:
            yield first()
