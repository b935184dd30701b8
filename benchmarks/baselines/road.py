"""The whole job, blocking: submit, poll, download, prove, write, record. One HTTP client per thread."""

import threading
import time
from functools import cache

import httpx
from redis import BlockingConnectionPool, Redis

from benchmarks.baselines.parts import (
    DONE_KEY,
    HEADERS,
    SUBMIT_PATH,
    Row,
    body_of,
    picture_url_of,
    save_picture,
    task_id_of,
)
from benchmarks.baselines.site import Site

_LOCAL = threading.local()


class Road:
    """Built in the process that runs the jobs, after any fork."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._redis = Redis(
            connection_pool=BlockingConnectionPool.from_url(site.redis, max_connections=site.hands + 2)
        )
        # Loading the CA bundle costs 22 ms and every thread would do it.
        self._context = httpx.create_ssl_context()

    def run(self, row: Row) -> None:
        """Does one job from POST to record."""
        client = self._client()
        task_id = self._submit(client, row)
        url = self._await_picture(client, task_id)
        content = client.get(url).raise_for_status().content
        record = save_picture(content, self._site.out, row["sku"]) | {"task_id": task_id}
        pipe = self._redis.pipeline(transaction=False)
        pipe.hset(f"bench:job:{row['sku']}", mapping=record)
        pipe.incr(DONE_KEY)
        pipe.execute()

    def _submit(self, client: httpx.Client, row: Row) -> str:
        while True:
            reply = client.post(SUBMIT_PATH, json=body_of(row))
            if reply.status_code != httpx.codes.TOO_MANY_REQUESTS:
                return task_id_of(reply.raise_for_status().json())
            time.sleep(float(reply.headers.get("Retry-After", 1)))

    def _await_picture(self, client: httpx.Client, task_id: str) -> str:
        time.sleep(self._site.first_poll_s)
        while True:
            reply = client.get(f"{SUBMIT_PATH}/results", params={"task_id": task_id})
            url = picture_url_of(reply.raise_for_status().json())
            if url is not None:
                return url
            time.sleep(self._site.every_s)

    def _client(self) -> httpx.Client:
        if not hasattr(_LOCAL, "client"):
            _LOCAL.client = httpx.Client(
                base_url=self._site.vendor,
                headers=HEADERS,
                timeout=60,
                verify=self._context,
                trust_env=False,
                limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
            )
        client: httpx.Client = _LOCAL.client
        return client


@cache
def road() -> Road:
    """The process's own, made at the first job."""
    return Road(Site.from_environment())
