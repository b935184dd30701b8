"""Which styles of an Office workbook show numbers otherwise than by their digits."""

from collections.abc import Sequence

from jobs.manifest.workbook.archive import Archive
from jobs.manifest.workbook.elements import elements
from jobs.manifest.workbook.number_formats import NumberFormat, number_format

#: Formats that every program knows by number, as far as they tell something.
_BUILT_IN = {2: "0.00", 4: "#,##0.00", 9: "0%", 10: "0.00%"}
#: Styles that are looked at; Excel has at most 65,490.
_MAX_STYLES = 70_000


def number_formats(archive: Archive, part: str | None) -> dict[int, NumberFormat]:
    """Style → format, of the styles whose format tells something."""
    if part is None or part not in archive:
        return {}
    codes: dict[int, str] = {}
    styles: list[int] = []
    in_cells = False
    for element in elements(archive.chunks(part)):
        if element.name == "cellXfs":
            in_cells = not element.end
        elif element.end:
            continue
        elif element.name == "numFmt" and (number := _number(element.attributes.get("numFmtId"))) is not None:
            codes[number] = element.attributes.get("formatCode", "")
        elif element.name == "xf" and in_cells:
            styles.append(_number(element.attributes.get("numFmtId")) or 0)
    return styles_of(codes, styles)


def styles_of(codes: dict[int, str], styles: Sequence[int]) -> dict[int, NumberFormat]:
    """Style → format.

    Args:
        codes: number of a format → its code, of those that the workbook defines.
        styles: for each style the number of its format.
    """
    known = {number: number_format(code) for number, code in (_BUILT_IN | codes).items()}
    found = ((style, known.get(number)) for style, number in enumerate(styles[:_MAX_STYLES]))
    return {style: made for style, made in found if made is not None}


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() and len(text) < 10 else None  # noqa: PLR2004 beyond any id
