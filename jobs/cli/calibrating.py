"""What `vton review calibrate` does: each flag beside the shop's own verdicts, and which limits would be better."""

import dataclasses
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec.structs import asdict

from jobs.config.settings import FlagSettings
from jobs.errors import NotFoundError, UsageError
from jobs.flags.calibration import ENOUGH, Calibration, Judged, Worth, calibrated
from jobs.records import Verdict, standing
from jobs.results.lines import read_line
from jobs.results.review import read_review


def print_calibration(
    results: Path, files: Iterable[Path], limits: FlagSettings, *, precision: float, as_json: bool
) -> None:
    """Says how often each flag was right and which limits would be better; nothing is changed.

    Args:
        results: the batch's results.jsonl, which has the verdicts of the ledger.
        files: review.csv files with further ones.
        limits: those in force.
        precision: share of flagged pictures that people must have rejected for a limit to be proposed.
        as_json: as one JSON list.

    Raises:
        NotFoundError: no such file. UsageError: it cannot be read.
    """
    judged = list(read_judged(results, read_verdicts(files)))
    found = calibrated(judged, limits, precision=precision)
    if as_json:
        sys.stdout.write(json.dumps([dataclasses.asdict(each) for each in found], indent=2) + "\n")
        return
    bad = sum(one.rejected for one in judged)
    sys.stdout.write(f"{len(judged)} pictures judged, {bad} rejected\n\n")
    sys.stdout.writelines(f"{line}\n" for line in _table(found, precision))


def read_verdicts(files: Iterable[Path]) -> dict[str, list[Verdict]]:
    """The verdicts of review.csv files by the SHA-256 of their picture; lines that are none are passed over.

    Raises:
        NotFoundError: no such file. UsageError: it cannot be read.
    """
    found: dict[str, list[Verdict]] = defaultdict(list)
    for path in files:
        try:
            for one in read_review(path, reviewer="unnamed"):
                if isinstance(one, Verdict):
                    found[one.picture_sha256].append(one)
        except FileNotFoundError:
            raise NotFoundError(f"{path}: no such file") from None
        except (OSError, ValueError) as error:
            raise UsageError(f"{path}: {error}") from None
    return found


def read_judged(results: Path, verdicts: dict[str, list[Verdict]]) -> Iterator[Judged]:
    """The pictures of a results.jsonl that were judged, each once; flags are those of a row's first picture.

    Raises:
        NotFoundError: the batch has no results. UsageError: they cannot be read.
    """
    seen: set[str] = set()
    try:
        with results.open("rb") as file:
            for raw in file:
                line = read_line(raw)
                sha256 = line.images[0].sha256 if line and line.images else ""
                if line is None or not sha256 or sha256 in seen:
                    continue
                own = [one for one in line.review if one.picture_sha256 == sha256]
                if said := standing([*own, *verdicts.get(sha256, ())]):
                    seen.add(sha256)
                    yield Judged(measures=asdict(line.measures), rejected=said.verdict == "reject")
    except FileNotFoundError:
        raise NotFoundError(f"{results}: no such file; vton results writes it") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{results}: {error}") from None


def _table(found: Iterable[Calibration], precision: float) -> Iterator[str]:
    yield (
        f"{'flag':<12} {'judged':>7} {'limit':>8} {'flagged':>8} {'precision':>10} {'recall':>7}"
        f"   {'proposed':>8} {'precision':>10} {'recall':>7}"
    )
    for each in found:
        today = f"{each.flag:<12} {each.judged:>7} {each.today.limit:>8g} {each.today.flagged:>8}"
        better = f"{each.proposed.limit:>8g} {_shares(each.proposed)}" if each.proposed else f"{'-':>8}"
        yield f"{today} {_shares(each.today)}   {better}"
    yield ""
    yield (
        f"proposed: finds most while {precision:.0%} of what it flags was rejected; -: no limit does with {ENOUGH}"
        " rejected pictures or more. Set it as flags.NAME."
    )


def _shares(worth: Worth) -> str:
    return f"{_share(worth.precision):>10} {_share(worth.recall):>7}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
