"""C2PA: a signed manifest that says who delivered the picture and that a machine made it. Always the last step."""

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from threading import Lock
from typing import Any, Final

from jobs.config.delivery import MarksSettings
from jobs.errors import ConfigError
from jobs.marks.found import C2PA, SOURCE_TYPES, marks_of

_MEDIA: Final = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
#: Else a thumbnail of 1,024 pixels goes into every picture, which may double it.
_NO_THUMBNAIL: Final = {"builder": {"thumbnail": {"enabled": False}}}
#: What the manifest calls the picture that it was made of.
_PARENT: Final = "original"
#: Who vouches for the certificate is the reader's own business.
_UNTRUSTED: Final = "signingCredential.untrusted"


class UnsignedError(Exception):
    """The signature could not be made, or does not hold; the picture is not delivered."""


class Signature:
    """Signs with the shop's own certificate and key."""

    def __init__(self, settings: MarksSettings) -> None:
        """Reads both files. Raises ConfigError: they cannot be read, or the library is not installed."""
        try:
            import c2pa  # noqa: PLC0415 an extra
        except (ImportError, OSError) as error:
            raise ConfigError(
                f"signing needs c2pa-python: pip install 'vton-batch[c2pa]' ({error})"
            ) from None
        if settings.c2pa_certificate is None or settings.c2pa_key is None:
            raise ConfigError("marks.c2pa_certificate and marks.c2pa_key are not set")
        try:
            certificate, key = settings.c2pa_certificate.read_bytes(), settings.c2pa_key.read_bytes()
        except OSError as error:
            raise ConfigError(f"marks.c2pa: cannot read {error.filename}: {error.strerror}") from None
        self._c2pa: Any = c2pa
        # Without an address of a time stamp's authority nothing here speaks to a network.
        info = c2pa.C2paSignerInfo(settings.c2pa_algorithm.encode(), certificate, key, None)
        try:
            self._signer = c2pa.Signer.from_info(info)
        except c2pa.C2paError as error:
            raise ConfigError(f"marks.c2pa: {error}") from None
        self._context = c2pa.Context(c2pa.Settings.from_dict(_NO_THUMBNAIL))
        self._source_type = SOURCE_TYPES + (settings.source_type or "trainedAlgorithmicMedia")
        self._one_at_a_time = Lock()

    def signed(self, content: bytes, extension: str, original: bytes) -> bytes:
        """The picture with a manifest that holds.

        A manifest that the original brings stays inside as that of its parent.

        Raises:
            UnsignedError: the library refuses, or its own reader finds the result invalid.
        """
        media = _MEDIA[extension]
        parent = C2PA in marks_of(original)
        with self._one_at_a_time, self._translated():
            builder = self._c2pa.Builder(json.dumps(self._manifest(created=not parent)), self._context)
            if parent:
                ingredient = json.dumps({"title": "original", "relationship": "parentOf", "label": _PARENT})
                builder.add_ingredient(ingredient, _media_of(original), BytesIO(original))
            written = BytesIO()
            builder.sign(self._signer, media, BytesIO(content), written)
            self._verify(written.getvalue(), media)
            return written.getvalue()

    def _manifest(self, *, created: bool) -> dict[str, Any]:
        # With a parent, its own manifest says how the picture came to be; ours that it was opened, and changed by a machine.
        actions: list[dict[str, Any]] = [{"action": "c2pa.created", "digitalSourceType": self._source_type}]
        if not created:
            opened = {"action": "c2pa.opened", "parameters": {"ingredientIds": [_PARENT]}}
            actions = [opened, {"action": "c2pa.edited", "digitalSourceType": self._source_type}]
        return {
            "claim_generator_info": [{"name": "vton-batch"}],
            "assertions": [{"label": "c2pa.actions", "data": {"actions": actions}}],
        }

    def _verify(self, content: bytes, media: str) -> None:
        report = json.loads(self._c2pa.Reader(media, BytesIO(content)).json())
        faults = [each.get("code") for each in report.get("validation_status") or ()]
        if bad := [code for code in faults if code != _UNTRUSTED]:
            raise UnsignedError(f"the signature does not hold: {', '.join(map(str, bad))}")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                yield
        except self._c2pa.C2paError as error:
            raise UnsignedError(f"it cannot be signed: {error}") from error


def _media_of(content: bytes) -> str:
    if content.startswith(b"\x89PNG"):
        return "image/png"
    return "image/webp" if content[8:12] == b"WEBP" else "image/jpeg"
