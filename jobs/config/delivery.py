"""Settings of what leaves the shop: marks of AI origin, channels' profiles, names."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from jobs.config.section import Section

#: A side in pixels, or a number of bytes; 0: no limit.
Limit = Annotated[int, Field(ge=0)]
Side = Annotated[int, Field(ge=1)]
COLOUR = r"^#[0-9A-Fa-f]{6}$"
Colour = Annotated[str, Field(pattern=COLOUR)]
#: Terms of IPTC's list "Digital Source Type" that say that a machine made the picture, or a part of it.
SourceType = Literal[
    "trainedAlgorithmicMedia",
    "compositeWithTrainedAlgorithmicMedia",
    "compositeSynthetic",
    "algorithmicallyEnhanced",
    "algorithmicMedia",
]
NAME = "{sku}/{sku}__{person}__v{version}.{ext}"


class MarksSettings(Section):
    """Which marks of AI origin delivered pictures bear."""

    source_type: SourceType | Literal[""] = "trainedAlgorithmicMedia"
    aigc_producer: str = ""
    aigc_propagator: str = ""
    c2pa_certificate: Path | None = None
    c2pa_key: Path | None = None
    c2pa_algorithm: Literal["es256", "es384", "es512", "ps256", "ps384", "ps512", "ed25519"] = "es256"
    label_text: str = ""
    label_corner: Literal["top_left", "top_right", "bottom_left", "bottom_right"] = "bottom_right"
    #: Height of its letters as a share of the picture's shorter side.
    label_size: float = Field(0.05, gt=0, le=0.5)
    label_font: Path | None = None

    @model_validator(mode="after")
    def _both(self) -> "MarksSettings":
        if (self.c2pa_certificate is None) != (self.c2pa_key is None):
            raise ValueError("c2pa_certificate and c2pa_key go together")
        if self.aigc_propagator and not self.aigc_producer:
            raise ValueError("aigc_propagator needs aigc_producer")
        return self


class ProfileSettings(Section):
    """What a channel wants of a picture; the default asks for nothing, so the file's pixels stay as they are."""

    format: Literal["keep", "jpeg", "png", "webp"] = "keep"
    #: Width and height of the delivered picture, the rest filled with `background`.
    size: tuple[Side, Side] | None = None
    #: Larger pictures are scaled down to it.
    longest_side: Limit = 0
    #: A picture with a shorter side is refused; none is scaled up.
    min_side: Limit = 0
    background: Colour = "#ffffff"
    #: Of JPEG and WebP; lowered as far as `max_bytes` wants it.
    quality: int = Field(92, ge=50, le=100)
    max_bytes: Limit = 0
    #: Empty: `delivery.name`.
    name: str = ""


class DeliverySettings(Section):
    """How `vton deliver` names and sends pictures."""

    name: str = NAME
    #: Pictures on their way at once.
    parallel: int = Field(16, ge=1, le=256)
    sidecar: bool = True
    #: The shop's own profiles; one with a built-in name takes its place.
    profiles: dict[str, ProfileSettings] = Field({})
