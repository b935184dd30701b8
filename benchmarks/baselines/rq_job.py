"""The RQ version: one job function is one whole job; one process is one slot."""

from benchmarks.baselines.road import road


def whole_job(row: dict[str, str]) -> None:
    """Submit, poll, download, record."""
    road().run(row)
