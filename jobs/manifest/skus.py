"""What a sku's cell says: a text that a table has protected from spreadsheets, or no sku at all."""

import re

from jobs.manifest.addresses import formula_name, is_error

#: A text as a formula: ="00123", which keeps its zeros when a spreadsheet opens the table.
_PROTECTED = re.compile(r'="((?:[^"]|"")*)"')
#: How a formula begins whose value nobody has computed, beside those that call a function.
_JOINED = '="'


def sku_text(cell: str) -> str:
    """The sku, stripped and without its protection."""
    text = cell.strip()
    protected = _PROTECTED.fullmatch(text) if text[:2] == _JOINED else None
    return protected[1].replace('""', '"').strip() if protected else text


def sku_fault(sku: str) -> str:
    """Why a spreadsheet's leavings are no sku: an error, or a formula; "" for a sku."""
    if sku[:1] not in {"=", "#"}:
        return ""
    if is_error(sku):
        return f"the sku is an error in the spreadsheet ({sku}); put the article's number there"
    if formula_name(sku) or sku.startswith(_JOINED):
        return "the sku is a formula that nobody has computed; put its value there, or open and save it in the spreadsheet"
    return ""
