"""The few formulas that say what a cell shows or where it leads, without computing anything."""

import re
from dataclasses import dataclass

#: Function, then its first argument as a literal text. Newer functions have the prefix _xlfn. in the file.
_CALL = re.compile(
    r"\s*=?\s*(?:_xlfn\.|_xlws\.|_xludf\.)*(IMAGE|HYPERLINK|DISPIMG)\s*\(\s*\"((?:[^\"]|\"\")*)\"\s*"
    r"(?:[,;]\s*(?:\"((?:[^\"]|\"\")*)\")?.*)?\)?\s*",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A formula that is one call with a literal first argument."""

    #: IMAGE, HYPERLINK or DISPIMG.
    function: str
    #: The address, or the id of WPS.
    target: str
    #: HYPERLINK's second argument, when it is a literal.
    label: str


def call_of(formula: str) -> Call | None:
    """The call; None for a formula of another kind, or with an argument that must be computed."""
    match = _CALL.fullmatch(formula)
    if match is None:
        return None
    return Call(
        function=match[1].upper(),
        target=match[2].replace('""', '"').strip(),
        label=(match[3] or "").replace('""', '"'),
    )
