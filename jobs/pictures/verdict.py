"""What the check of a local picture has found, and what it remarks; remembered as long as the file stays the same.

Nothing that opens pictures is loaded here: most manifests name addresses alone.
"""

from msgspec import Struct
from PIL import __version__ as pillow_version

from jobs.config.settings import PictureSettings
from jobs.errors import VtonError
from jobs.heic import heic_version

#: Changes whenever the same bytes may get another verdict.
_VERSION = 2


class PictureError(VtonError):
    """A local picture that cannot be sent."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        #: A sentence for the merchandiser.
        self.why = why


class Remark(Struct, frozen=True, array_like=True):
    """Something odd about a picture that is sent all the same."""

    #: For counting: `converted`, `moving`, `strip`, `blank`, `transparent`, `person_is_garment`.
    kind: str
    #: For the merchandiser, to be read behind the picture's name.
    words: str


class Verdict(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Of one content: it can be sent, as it is or as a JPEG made of it, or why it cannot."""

    #: Hex digest of the content; empty when it cannot be sent.
    sha256: str = ""
    #: Why it cannot be sent, a sentence; empty when it can.
    why: str = ""
    #: The size of the JPEG that is sent instead, pixels, `<width>x<height>`; empty: the file is sent as it is.
    jpeg: str = ""
    remarks: tuple[Remark, ...] = ()


def rules(limits: PictureSettings) -> str:
    """What verdicts depend on beside the content."""
    settings = (limits.max_bytes, limits.max_pixels, limits.min_side, limits.convert, limits.max_side)
    return f"{_VERSION} {settings} {pillow_version} heif {heic_version()}"


def too_many_bytes(size: int, most: int) -> PictureError:
    """A file of more bytes than are sent, or read to make a JPEG of it."""
    return PictureError(f"the file has {size:,} bytes; at most {most:,} are sent")
