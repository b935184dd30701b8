"""Some rows of a manifest make a list of their own."""

from pathlib import Path

import pytest

from jobs.errors import UsageError
from jobs.manifest import Reading, open_manifest
from jobs.manifest.part import read_conditions, spread
from jobs.manifest.several import open_manifests
from jobs.records import Row

TABLE = "sku,person,dress,Season,vip\n" + "".join(
    f"S{n},https://x/p.jpg,https://x/{n}.jpg,{'ss' if n % 3 else 'aw'},{'yes' if n % 2 else ''}\n"
    for n in range(12)
)


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = tmp_path / "list.csv"
    path.write_text(TABLE)
    return str(path)


def only(*texts: str) -> Reading:
    return Reading(only=read_conditions(texts))


@pytest.mark.parametrize(
    ("conditions", "skus"),
    [
        (["season=aw"], ["S0", "S3", "S6", "S9"]),
        ([" Season = aw ", "vip=yes"], ["S3", "S9"]),
        (["vip="], ["S0", "S2", "S4", "S6", "S8", "S10"]),
        (["sku=S7"], ["S7"]),
        (["season=AW"], []),
    ],
)
def test_rows_that_fit_are_numbered_through_and_keep_their_line(table, conditions, skus) -> None:
    rows = list(open_manifest(table, only(*conditions)).rows())
    assert [row.sku for row in rows] == skus
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    assert [row.line for row in rows] == [int(sku[1:]) + 2 for sku in skus]


def test_each_condition_makes_another_list(table) -> None:
    digests = [
        open_manifest(table, only(*each)).digest
        for each in ([], ["vip=yes"], ["vip=no"], ["vip=yes", "sku=S1"])
    ]
    assert len(set(digests)) == 4
    assert open_manifest(table).digest == digests[0]


def test_a_column_that_is_not_there_and_a_condition_that_is_none_are_said(table) -> None:
    with pytest.raises(UsageError, match="no column colour; it has sku, person"):
        open_manifest(table, only("colour=red"))
    with pytest.raises(UsageError, match="COLUMN=VALUE"):
        only("colour")


def test_rows_without_a_line_of_names_are_chosen_too(tmp_path) -> None:
    path = tmp_path / "list.jsonl"
    path.write_text(
        "".join(
            f'{{"sku":"S{n}","person":"https://x/p.jpg","dress":"https://x/{n}.jpg"{extra}}}\n'
            for n, extra in enumerate(["", ',"vip":"yes"', ',"vip":"no"'])
        )
    )
    assert [row.sku for row in open_manifest(str(path), only("vip=yes")).rows()] == ["S1"]


@pytest.mark.parametrize("count", [1, 3, 5, 12, 100])
def test_a_list_is_cut_down_to_rows_that_are_spread_over_it(table, count) -> None:
    manifest = open_manifest(table)
    numbers = spread(manifest.rows(), count)
    assert len(numbers) == min(count, 12)
    assert numbers == spread(manifest.rows(), count), "the same ones each time"
    if count == 3:
        assert numbers == {3, 7, 11}
    part = manifest.cut_down(numbers, f"canary{count}")
    rows = list(part.rows())
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    assert [row.sku for row in rows] == [f"S{number - 1}" for number in sorted(numbers)]
    assert part.digest != manifest.digest
    assert part.name == f"list-canary{count}"
    assert len(list(manifest.rows())) == 12


def test_several_manifests_are_cut_down_together(table, tmp_path) -> None:
    other = tmp_path / "other.csv"
    other.write_text(TABLE.replace("S", "T"))
    both = open_manifests([table, str(other)])
    part = both.cut_down(spread(both.rows(), 2), "canary2")
    rows = [row for row in part.rows() if isinstance(row, Row)]
    assert [(row.number, row.sku, row.file) for row in rows] == [(1, "S6", table), (2, "T6", str(other))]
    assert part.digest != both.digest
    assert part.place(rows[1]) == "8"
