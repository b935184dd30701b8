"""Colours as people see them: CIE L*a*b* of sRGB, and the distance CIEDE2000 (Sharma, Wu and Dalal, 2005)."""

from functools import cache
from math import atan2, cos, degrees, exp, hypot, radians, sin, sqrt

#: L*, a*, b* under D65.
Lab = tuple[float, float, float]

#: sRGB to XYZ divided by the white of D65, row by row.
_TO_XYZ = (
    (0.4124564 / 0.95047, 0.3575761 / 0.95047, 0.1804375 / 0.95047),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339 / 1.08883, 0.1191920 / 1.08883, 0.9503041 / 1.08883),
)
_LINEAR = tuple(
    level / 255 / 12.92 if level <= 10 else ((level / 255 + 0.055) / 1.055) ** 2.4  # noqa: PLR2004 sRGB's own
    for level in range(256)
)
_25_TO_7 = 25.0**7


@cache
def lab(red: int, green: int, blue: int) -> Lab:
    """An sRGB colour of 8 bits; whoever asks rounds to few levels, so that few are remembered."""
    r, g, b = _LINEAR[red], _LINEAR[green], _LINEAR[blue]
    x, y, z = (_root(fr * r + fg * g + fb * b) for fr, fg, fb in _TO_XYZ)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _root(share: float) -> float:
    return share ** (1 / 3) if share > 216 / 24389 else (24389 / 27 * share + 16) / 116


def ciede2000(one: Lab, other: Lab) -> float:
    """The distance of two colours: 1 is just seen, 5 is another shade, 20 another colour."""
    chroma = (hypot(*one[1:]) + hypot(*other[1:])) / 2
    widened = 1.5 - 0.5 * sqrt(chroma**7 / (chroma**7 + _25_TO_7))
    c1, h1 = _polar(one[1] * widened, one[2])
    c2, h2 = _polar(other[1] * widened, other[2])
    turn = 0.0
    if c1 * c2:
        turn = (h2 - h1 + 180) % 360 - 180
    d_light, d_chroma, d_hue = other[0] - one[0], c2 - c1, 2 * sqrt(c1 * c2) * sin(radians(turn / 2))
    light, mean_c = (one[0] + other[0]) / 2, (c1 + c2) / 2
    hue = (h1 + turn / 2) % 360 if c1 * c2 else h1 + h2
    weight = (
        1
        - 0.17 * cos(radians(hue - 30))
        + 0.24 * cos(radians(2 * hue))
        + 0.32 * cos(radians(3 * hue + 6))
        - 0.20 * cos(radians(4 * hue - 63))
    )
    off = (light - 50) ** 2
    parts = (
        d_light / (1 + 0.015 * off / sqrt(20 + off)),
        d_chroma / (1 + 0.045 * mean_c),
        d_hue / (1 + 0.015 * mean_c * weight),
    )
    rotation = -2 * sqrt(mean_c**7 / (mean_c**7 + _25_TO_7))
    rotation *= sin(radians(60 * exp(-(((hue - 275) / 25) ** 2))))
    return sqrt(sum(part * part for part in parts) + rotation * parts[1] * parts[2])


def _polar(a: float, b: float) -> tuple[float, float]:
    return hypot(a, b), degrees(atan2(b, a)) % 360
