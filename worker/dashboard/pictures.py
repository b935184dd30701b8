"""Pictures of the output folder as small ones: the sheet's thumbnails, and while it is not written copies in memory."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from jobs.report.thumbnails import LIGHT_PIXELS, small_copy
from worker.site.files import Shown, shown

#: Small copies that are kept, some 10 KB each.
_KEPT: Final = 100


@dataclass(slots=True, kw_only=True)
class SmallPictures:
    """For threads; makes one copy at a time."""

    #: Where the batch folders are.
    output_dir: Path
    _made: OrderedDict[tuple[str, int], bytes] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, batch: str, path: str) -> Shown | bytes | None:
        """A thumbnail's file, or a small WebP; None: there is no such picture, or it is not to be shown."""
        found = shown(self.output_dir, batch, path)
        if found is None or not found.media_type.startswith("image/"):
            return None
        if found.lasting:
            return found
        try:
            return self._small(found.path)
        except OSError:
            return None

    def _small(self, path: Path) -> bytes | None:
        key = (str(path), path.stat().st_mtime_ns)
        with self._lock:
            if key not in self._made:
                made = small_copy(path.read_bytes(), LIGHT_PIXELS)
                if made is None:
                    return None
                self._made[key] = made
                if len(self._made) > _KEPT:
                    self._made.popitem(last=False)
            return self._made[key]
