"""The Celery version: one task is one whole job; its pool's size is the cap."""

from typing import Any

from celery import Celery

from benchmarks.baselines.road import road
from benchmarks.baselines.site import Site

SITE = Site.from_environment()
app = Celery("bench", broker=SITE.redis)
app.conf.update(
    task_ignore_result=True,  # the job records itself
    task_acks_late=True,
    # A rate-limited task waits inside the worker and takes up its prefetch.
    worker_prefetch_multiplier=4 if SITE.rate else 1,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    broker_transport_options={"visibility_timeout": 3600},
)
_OPTIONS: dict[str, Any] = {"name": "whole_job"}
if SITE.rate:
    # Celery's limit is per worker process, so each gets its share.
    _OPTIONS["rate_limit"] = f"{SITE.rate / SITE.processes:g}/s"


@app.task(**_OPTIONS)
def whole_job(row: dict[str, str]) -> None:
    """Submit, poll, download, record."""
    road().run(row)
