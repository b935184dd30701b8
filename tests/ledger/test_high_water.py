"""The high-water mark: never lower, never half, whoever else writes it."""

import subprocess
import sys
from pathlib import Path

import pytest

from jobs.errors import ConfigError
from jobs.ledger.high_water import HighWaterMark, Mark

ROOT = Path(__file__).parents[2]


def mark(orders: int, ledger: str = "one") -> Mark:
    return Mark(ledger=ledger, orders=orders)


def test_a_new_data_folder_remembers_nothing(tmp_path: Path) -> None:
    assert HighWaterMark(tmp_path / "data", "vton").read() is None


def test_it_is_raised_and_never_lowered(tmp_path: Path) -> None:
    kept = HighWaterMark(tmp_path / "data", "vton")
    assert kept.raise_to(mark(3)) == mark(3)
    assert kept.raise_to(mark(2)) == mark(3)
    assert kept.raise_to(mark(5)) == mark(5)
    assert HighWaterMark(tmp_path / "data", "vton").read() == mark(5)


def test_another_ledger_does_not_take_its_place_by_itself(tmp_path: Path) -> None:
    kept = HighWaterMark(tmp_path, "vton")
    kept.raise_to(mark(3))
    assert kept.raise_to(mark(9, "two")) == mark(3)
    kept.replace(mark(9, "two"))
    assert kept.read() == mark(9, "two")


def test_ledgers_of_two_prefixes_are_two(tmp_path: Path) -> None:
    HighWaterMark(tmp_path, "vton").raise_to(mark(3))
    assert HighWaterMark(tmp_path, "other").read() is None


def test_the_note_of_an_earlier_version_counts(tmp_path: Path) -> None:
    (tmp_path / "ledger-vton.id").write_text("one\n")
    kept = HighWaterMark(tmp_path, "vton")
    assert kept.read() == mark(0)
    assert kept.raise_to(mark(4)) == mark(4)
    assert kept.read() == mark(4)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"ledger": "one"}', '{"ledger": "one", "orders": "many"}']
)
def test_a_file_that_says_nothing_is_not_taken_for_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "ledger-vton.json").write_text(content)
    with pytest.raises(ConfigError, match=r"ledger-vton\.json: cannot be read"):
        HighWaterMark(tmp_path, "vton").read()


def test_processes_that_write_at_once_leave_the_highest(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from jobs.ledger.high_water import HighWaterMark, Mark\n"
        "kept = HighWaterMark(Path(sys.argv[1]), 'vton')\n"
        "for orders in range(int(sys.argv[2]), 60, 3): kept.raise_to(Mark(ledger='one', orders=orders))"
    )
    argv = [sys.executable, "-c", code, str(tmp_path)]
    writers = [subprocess.Popen([*argv, str(first)], cwd=ROOT) for first in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert HighWaterMark(tmp_path, "vton").read() == mark(59)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ledger-vton.json", "ledger-vton.lock"]
