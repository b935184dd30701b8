"""What is wrong with a setting, in the words of who writes config.yaml."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, get_args, get_origin

from jobs.config.delivery import COLOUR
from jobs.config.settings import CURRENCY, FILE_MODE, PREFIX, Settings

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

_FOUR_DIGITS = 'must be four digits such as 0640, in quotes: "0640"'
_OF_PATTERNS = {
    FILE_MODE: _FOUR_DIGITS,
    COLOUR: 'must be a colour such as "#ffffff", in quotes',
    PREFIX: "must be letters, digits, _ and - only",
    CURRENCY: "must be three capital letters such as USD",
}


def why(error: "ErrorDetails") -> str:
    """A sentence."""
    where, words = error["loc"], error["msg"].removeprefix("Value error, ")
    match error["type"]:
        case "extra_forbidden":
            near = nearest(str(where[-1]), _keys(where))
            words = f"unknown setting; did you mean {near}?" if near else "unknown setting"
        case "model_type":
            words = "is a section; its settings stand below it, each as KEY: VALUE"
        case "tuple_type":
            words = f"must be a list, e.g. {example(where)}"
        case "dict_type":
            words = f"must be a table, e.g. {example(where)}"
        case "string_type":
            words = _FOUR_DIGITS if where == ("output_mode",) else "must be a text; write it in quotes"
        case "string_pattern_mismatch":
            words = _OF_PATTERNS.get(error["ctx"]["pattern"], words)
        case _:
            pass
    return words


def example(where: Sequence[int | str]) -> str:
    """A list or a table as a setting may have it, in JSON, which is YAML too."""
    if len(where) > 2:  # noqa: PLR2004 a delivery profile's size
        return "[1200, 1600]"
    section, key = map(str, where)
    annotation = _fields(section)[key].annotation
    if get_origin(annotation) is dict:
        return '{"1051": "picture_invalid"}' if get_args(annotation)[0] is int else '{"shop": {}}'
    item = get_args(annotation)[0]
    return "[2004]" if int in (item, *get_args(item)[:1]) else '["a", "b"]'


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that may be meant; empty when none is near."""
    # Only who has made a mistake needs it.
    from difflib import get_close_matches  # noqa: PLC0415

    return "".join(get_close_matches(name.lower(), known, n=1, cutoff=0.75))


def _keys(where: Sequence[int | str]) -> Iterable[str]:
    """What a key may be called: a section, or a setting of one; nothing is known of what stands deeper."""
    if len(where) == 1:
        return Settings.model_fields
    return _fields(str(where[0])) if len(where) == 2 else ()  # noqa: PLR2004 section and key


def _fields(section: str) -> Mapping[str, "FieldInfo"]:
    found: Mapping[str, FieldInfo] = getattr(Settings.model_fields[section].annotation, "model_fields", {})
    return found
