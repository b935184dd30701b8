"""Manifests that were made to break the reader."""

# ruff: noqa: E501 a case is a row of a table

import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path

from tests.hostile.case import Door, add, hostile

PAIR = "https://shop.example/p.jpg,https://shop.example/d.jpg"
HEAD = "sku,person,dress\n"
GOOD = f"A,{PAIR}\n"
YAML_ROW = "{sku: A, person: 'https://s.example/p.jpg', dress: 'https://s.example/d.jpg'}"
JSON_ROW = json.dumps({"sku": "A", "person": "https://s.example/p.jpg", "dress": "https://s.example/d.jpg"})


def content(file: str, text: str | bytes) -> Callable[[Path], Path]:
    """Makes a file of this content."""

    def make(folder: Path) -> Path:
        path = folder / file
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return make


def manifest(name: str, file: str, text: str | bytes, expected: str) -> None:
    add(name, Door.MANIFEST, content(file, text), expected)


# -- names and cells -----------------------------------------------------------------------------------------

manifest(
    "SKU climbs out of the folder",
    "a.csv",
    f"{HEAD}../../../etc/passwd,{PAIR}\n",
    r"1 good.* as images/etc_passwd_0001$",
)
manifest(
    "SKU is an absolute path", "a.csv", f"{HEAD}/etc/passwd,{PAIR}\n", r"1 good.* as images/etc_passwd_0001$"
)
manifest(
    "SKU is a Windows path", "a.csv", f"{HEAD}C:\\\\x\\\\con,{PAIR}\n", r"1 good.* as images/C_x_con_0001$"
)
manifest("SKU of dots and blanks", "a.csv", f'{HEAD}" .. . ",{PAIR}\n', r"1 good.* as images/row_0001$")
manifest(
    "SKU of 100,000 characters",
    "a.csv",
    f"{HEAD}{'x' * 100_000},{PAIR}\n",
    r"1 good.* as images/x{1,80}_0001$",
)
manifest("SKU with a line end", "a.csv", f'{HEAD}"a\nb",{PAIR}\n', r"1 good.* as images/a_b_0001$")
manifest(
    "SKU that turns the text around",
    "a.csv",
    f"{HEAD}\u202egpj.exe,{PAIR}\n",
    r"1 good.* as images/gpj.exe_0001$",
)
manifest(
    "SKU a spreadsheet would run",
    "a.csv",
    f"{HEAD}=cmd|' /C calc'!A0,{PAIR}\n",
    r"1 good.* as images/cmd_C_calc_A0_0001$",
)
manifest("NUL inside", "a.csv", f"{HEAD}a\0b,{PAIR}\n", r"0 good, 1 bad: .*NUL")
manifest(
    "a row longer than its header",
    "a.csv",
    f"{HEAD}A,{PAIR},x,y,z\n{GOOD}",
    r"1 good, 1 bad: .*the line has 6 cells",
)
manifest(
    "a row shorter than its header",
    "a.csv",
    f"{HEAD}A\n{GOOD}",
    r"1 good, 1 bad: .*the person's picture is missing",
)
manifest(
    "an address of another kind",
    "a.csv",
    f"{HEAD}A,ftp://x/p.jpg,javascript:alert(1)\n{GOOD}",
    r"1 good, 1 bad: ",
)
manifest(
    "a file address",
    "a.csv",
    f"{HEAD}A,file:///etc/passwd,file:///etc/shadow\n{GOOD}",
    r"1 good, 1 bad: .*file:",
)
manifest(
    "a picture that is not there",
    "a.csv",
    f"{HEAD}A,none.jpg,none.jpg\n{GOOD}",
    r"1 good, 1 bad: .*no such file",
)
manifest(
    "a path out of the folder",
    "a.csv",
    f"{HEAD}A,../../../etc/passwd,/etc/passwd\n{GOOD}",
    r"1 good, 1 bad: .*outside",
)

# -- encodings and shapes ------------------------------------------------------------------------------------

manifest("byte order mark", "a.csv", b"\xef\xbb\xbf" + (HEAD + GOOD).encode(), r"1 good, 0 bad")
manifest("GB18030", "a.csv", f"sku,模特,连衣裙,备注\nA,{PAIR},红色\n".encode("gb18030"), r"1 good, 0 bad")
manifest("UTF-16", "a.csv", (HEAD + GOOD).encode("utf-16"), r"1 good, 0 bad")
manifest(
    "bytes of no encoding",
    "a.csv",
    HEAD.encode() + b"\x81\xff\x8d\x90" + f",{PAIR}\n".encode(),
    r"refused: .*the encoding of its text is not clear",
)
manifest(
    "umlauts of cp1252",
    "a.csv",
    f"{HEAD}Grün-1,{PAIR}\nMädchen,{PAIR}\n".encode("cp1252"),
    r"2 good, 0 bad, as images/Gr_n-1|as images/Gr",
)
manifest(
    "two encodings in one file",
    "a.csv",
    f"{HEAD}红色连衣裙,{PAIR}\n蓝色上衣,{PAIR}\n".encode() + f"B\xe4,{PAIR}\n".encode("latin-1"),
    r"2 good, 1 bad: .*no UTF-8",
)
manifest(
    "a line of 2 MB of letters of no encoding",
    "a.csv",
    HEAD.encode() + b"\x81\xff" * 1_000_000,
    r"refused: .*encoding",
)
manifest("20 lines of titles, then the names", "a.csv", "Autumn,,\n" * 19 + HEAD + GOOD, r"1 good, 0 bad")
manifest("lines of names without end", "a.csv", HEAD * 100_000, r"bad")
manifest(
    "a template that tells of line 9999",
    "a.csv",
    f"settings=attributeRow=9999&dataRow=1,,\n{HEAD}{GOOD}",
    r"good|refused",
)
manifest("1,000 columns without a name", "a.csv", "," * 1000 + HEAD + "," * 1000 + GOOD, r"1 good, 0 bad")
manifest("carriage returns only", "a.csv", (HEAD + GOOD).replace("\n", "\r"), r"refused: .*Macintosh")
manifest("empty", "a.csv", b"", r"refused: .*empty")
manifest("a header only", "a.csv", HEAD, r"0 good, 0 bad")
manifest("an Excel workbook called CSV", "a.csv", b"PK\x03\x04" + bytes(500), r"refused: .*Excel")
manifest("a picture called CSV", "a.csv", b"\xff\xd8\xff\xe0" + bytes(500), r"refused: .*picture")
manifest("the same header twice", "a.csv", "sku,person,dress,dress\n" + GOOD, r"refused: .*twice")
manifest("two names of one column", "a.csv", "sku,person,top,upper_clothes\n" + GOOD, r"refused: .*both mean")
manifest(
    "20,000 columns",
    "a.csv",
    ",".join(["sku", "person", "dress", *(f"c{n}" for n in range(20_000))]) + "\n" + GOOD,
    r"1 good, 0 bad",
)
manifest(
    "a header name of a megabyte",
    "a.csv",
    f"sku,person,dress,{'x' * 1_000_000}\n{GOOD}",
    r"refused: .*longer than 1 MB",
)
manifest(
    "a quotation mark left open in the header",
    "a.csv",
    'sku,person,"dress\n' + GOOD * 1000,
    r"refused: .*quotation",
)
manifest(
    "a quotation mark left open in a row",
    "a.csv",
    f'{HEAD}"A,{PAIR}\n' + GOOD * 1000,
    r"1000 good, 1 bad: .*quotation",
)
manifest(
    "a cell of 20 MB",
    "a.csv",
    f"{HEAD}A,{PAIR}{'x' * 20_000_000}\n{GOOD}",
    r"1 good, 1 bad: .*longer than 1 MB",
)
manifest("200,000 bad rows", "a.csv", HEAD + "A,,\n" * 200_000, r"0 good, 200000 bad")


@hostile("a line of 400 MB", Door.MANIFEST, r"1 good, 1 bad: .*longer than 1 MB", heavy=True)
def _long_line(folder: Path) -> Path:
    path = folder / "a.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write(HEAD + "A,")
        for _ in range(400):
            file.write("x" * 1_000_000)
        file.write(f"\n{GOOD}")
    return path


@hostile("100,000 rows that share nothing", Door.MANIFEST, r"100000 good, 0 bad")
def _many(folder: Path) -> Path:
    path = folder / "a.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write(HEAD)
        file.writelines(
            f"s{n},https://s.example/{n}p.jpg,https://s.example/{n}d.jpg\n" for n in range(100_000)
        )
    return path


# -- things that are no files --------------------------------------------------------------------------------


@hostile("a folder called CSV", Door.MANIFEST, r"refused: .*folder")
def _folder(folder: Path) -> Path:
    path = folder / "a.csv"
    path.mkdir()
    return path


@hostile("a link to a device without end", Door.MANIFEST, r"refused: .*device")
def _device(folder: Path) -> Path:
    path = folder / "a.csv"
    path.symlink_to("/dev/zero")
    return path


# -- packed --------------------------------------------------------------------------------------------------


def _zeros(size: int) -> bytes:
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as file:
        for _ in range(size // 1_000_000):
            file.write(bytes(1_000_000))
    return out.getvalue()


manifest("100 MB of zeros packed into 100 KB", "a.csv.gz", _zeros(100_000_000), r"refused: .*binary")
manifest(
    "one cell of 100 MB packed", "a.csv.gz",
    gzip.compress(HEAD.encode() + b"A," + b"x" * 100_000_000 + b"\n" + GOOD.encode(), 1, mtime=0), r"1 good, 1 bad: .*longer than 1 MB",
)  # fmt: skip
manifest(
    "packed and cut off",
    "a.csv.gz",
    gzip.compress((HEAD + GOOD * 9999).encode(), mtime=0)[:-30],
    r"refused: .*broken or cut off",
)
manifest(
    "packed twice",
    "a.csv.gz",
    gzip.compress(gzip.compress(HEAD.encode(), mtime=0), mtime=0),
    r"refused: .*twice",
)
manifest("not packed, though it says so", "a.csv.gz", HEAD + GOOD, r"1 good, 0 bad")

# -- YAML ----------------------------------------------------------------------------------------------------

_LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
manifest(
    "aliases of aliases", "a.yaml", f"{_LAUGHS}jobs:\n  - {YAML_ROW}\n", r"refused: .*anchor &a is not read"
)
manifest(
    "merge keys of merge keys", "a.yaml",
    "a: &a {x: 1}\n" + "".join(f"b{n}: &b{n} {{<<: [{', '.join(['*a'] * 99)}]}}\n" for n in range(30)) + f"jobs:\n  - {YAML_ROW}\n",
    r"refused: .*anchor &a is not read",
)  # fmt: skip
manifest("an alias to itself", "a.yaml", "jobs: &a [*a]\n", r"refused: .*anchor &a is not read")
manifest("100,000 brackets", "a.yaml", "jobs: " + "[" * 100_000, r"refused: .*nested more than")
manifest(
    "5,000 levels", "a.yaml", "".join(f"{' ' * n}a:\n" for n in range(5_000)), r"refused: .*not known here"
)
manifest(
    "a word of 30 MB",
    "a.yaml",
    f"jobs:\n  - {YAML_ROW}\n  - {{sku: {'x' * 30_000_000}}}\n",
    r"refused: .*longer than 1 MB",
)
manifest(
    "a tag that runs a program",
    "a.yaml",
    "jobs: !!python/object/apply:os.system ['true']\n",
    r"refused: .*tag .* is not read",
)
manifest(
    "the same key twice", "a.yaml", f"jobs:\n  - {YAML_ROW}\njobs:\n  - {YAML_ROW}\n", r"refused: .*twice"
)
manifest(
    "two documents",
    "a.yaml",
    f"jobs:\n  - {YAML_ROW}\n---\njobs:\n  - {YAML_ROW}\n",
    r"refused: .*second document",
)
manifest("a list where a table belongs", "a.yaml", "- 1\n- [2]\n- null\n", r"0 good, 3 bad")
manifest(
    "numbers without end",
    "a.yaml",
    f"jobs:\n  - {{sku: {'9' * 100_000}, person: .inf, dress: 0x{'f' * 9999}}}\n  - {YAML_ROW}\n",
    r"1 good, 1 bad: .*characters long",
)
manifest(
    "a matrix of 150 people and 150 garments", "a.yaml",
    "people:\n" + "".join(f"  p{n}: 'https://s.example/p{n}.jpg'\n" for n in range(150))
    + "garments:\n" + "".join(f"  g{n}: {{dress: 'https://s.example/g{n}.jpg'}}\n" for n in range(150))
    + f"matrix:\n  people: [{', '.join(f'p{n}' for n in range(150))}]\n  garments: [{', '.join(f'g{n}' for n in range(150))}]\n",
    r"22500 good, 0 bad",
)  # fmt: skip

# -- JSON arrays ---------------------------------------------------------------------------------------------

manifest(
    "an array of 100,000 levels",
    "a.json",
    "[{" + '"a":[' * 100_000,
    r"refused: .*(nested too deeply|not JSON)",
)
manifest("an array without an end", "a.json", f"[{JSON_ROW},", r"refused: .*:1: is not JSON")
manifest(
    "an array with a word of 30 MB",
    "a.json",
    '[{"sku": "' + "x" * 30_000_000 + '"}]',
    r"refused: .*longer than 1 MB",
)
manifest(
    "an array with half a character",
    "a.json",
    '[{"sku": "\\ud800", "person": "x"}, ' + JSON_ROW + "]",
    r"1 good, 1 bad: .*half a character",
)
manifest("an array of no objects", "a.json", "[" + '{"a": 1}, 7,' * 9 + JSON_ROW + "]", r"1 good, 18 bad")

# -- JSONL ---------------------------------------------------------------------------------------------------

manifest("lines that are no JSON", "a.jsonl", f"{{\n{JSON_ROW}\nnull\n[]\n7\n", r"1 good, 4 bad")
manifest(
    "100,000 brackets in a line",
    "a.jsonl",
    "[" * 100_000 + f"\n{JSON_ROW}\n",
    r"1 good, 1 bad: .*nested too deeply",
)
manifest(
    "a number of 100,000 digits", "a.jsonl", f'{{"sku": {"9" * 100_000}}}\n{JSON_ROW}\n', r"1 good, 1 bad"
)
manifest("NaN and Infinity", "a.jsonl", f'{{"sku": NaN, "person": Infinity}}\n{JSON_ROW}\n', r"1 good, 1 bad")
manifest(
    "half a character",
    "a.jsonl",
    '{"sku": "\\ud800", "person": "https://s.example/\\udfff.jpg", "dress": "x"}\n' + JSON_ROW,
    r"1 good, 1 bad: .*half a character",
)
manifest("a line of 30 MB", "a.jsonl", f'{{"sku": "{"x" * 30_000_000}"}}\n{JSON_ROW}\n', r"1 good, 1 bad")
