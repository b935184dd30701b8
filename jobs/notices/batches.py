"""Notices of batches that have ended, or of runs that ended before theirs had; made from values."""

from collections.abc import Mapping
from typing import Any

from jobs.config.advice import command
from jobs.config.exit_codes import ExitCode, ended
from jobs.notices.notice import ONCE_S, Event, Notice, Severity

#: Who fixes a gap, for people.
_OWNERS = {"merch": "the merchandiser", "ops": "operations", "vendor": "HiDream"}
_SIMULATED = "-simulated"


def batch_over(summary: Mapping[str, Any], run_began: str = "", *, simulated: bool) -> Notice:
    """Every row has ended.

    `summary`: the batch's summary.json; `run_began`: of a run, ISO 8601 in UTC as there. One that found nothing left to do
    has ended too: whoever waits for a word each day gets it.
    """
    code = ended(summary)
    rows, done = summary["rows"], summary["status"].get("succeeded", 0)
    whole = code is ExitCode.OK
    title = f"{summary['batch']}: all {rows} rows have their picture"
    if not whole:
        gaps = ", ".join(
            f"{count} {name}" for name, count in summary["status"].items() if name != "succeeded"
        )
        title = f"{summary['batch']}: {done} of {rows} rows have their picture ({gaps})"
    return Notice(
        event=Event.ENDED if whole else Event.GAPS,
        severity="info" if whole else _severity(summary),
        title=title,
        todo="" if whole else _todo(summary, simulated=simulated),
        batch=summary["batch"],
        # Tried again, it ends once more.
        cause=max(str(summary["completed_at"]), run_began),
        facts={**summary, "exit_code": int(code)},
        quiet_s=ONCE_S,
    )


def _severity(summary: Mapping[str, Any]) -> Severity:
    """What only the catalog's own people can fix is no alarm; money that may have been spent is more than one."""
    return "critical" if summary["status"].get("unknown") else "warning"


def _todo(summary: Mapping[str, Any], *, simulated: bool) -> str:
    owners = ", ".join(f"{count} for {_OWNERS[owner]}" for owner, count in summary["gaps_by_owner"].items())
    parts = [f"failed.csv of the batch has the reasons ({owners})"] if owners else []
    if summary["retryable_rows"]:
        retry = command(f"retry {summary['batch']}", simulated=simulated)
        parts.append(f"the same command, or {retry}, tries what may pass")
    if summary["status"].get("unknown"):
        parts.append("unknown rows may have been charged: look before you retry them")
    return "; ".join(parts)


def run_stopped(batch: str | None, code: int, why: str, facts: Mapping[str, Any] | None = None) -> Notice:
    """A run ended early. `facts`: the batch's summary, as far as there is one."""
    return Notice(
        event=Event.STOPPED,
        severity="warning" if code in {ExitCode.BUDGET, ExitCode.DEADLINE} else "critical",
        title=f"{batch or 'vton run'}: ended early, code {code}: {why.partition(';')[0]}",
        todo=why.partition("; ")[2],
        batch=batch,
        cause=f"{code} {why}",
        facts={**(facts or {}), "exit_code": int(code)},
    )


def is_simulated(ledger: str) -> bool:
    """Whether notices are about a simulated shop. `ledger`: prefix of its keys."""
    return ledger.endswith(_SIMULATED)
