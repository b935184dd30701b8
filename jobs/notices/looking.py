"""Looks for what deserves a notice and sends it; several processes that look find the same, and one of them sends."""

from collections import Counter
from collections.abc import Iterator

from jobs.config.settings import Settings
from jobs.health.assessment import assess
from jobs.health.facts import Facts
from jobs.health.reading import NEWEST, read_facts
from jobs.ledger import Ledger
from jobs.ledger.codec import decode_refs
from jobs.notices.batches import is_simulated
from jobs.notices.causes import OldUnknown, judged, of_deadlines, of_gate, of_judgement, of_unknown
from jobs.notices.notice import QUIET_S, Notice
from jobs.notices.sender import Notices
from jobs.records import BatchId
from jobs.redis.client import translated

#: Unknown jobs of which the batches are asked for.
_MOST_UNKNOWN = 1000


class Looking:
    """One process's looks, one after the other."""

    def __init__(
        self, ledger: Ledger, settings: Settings, notices: Notices, *, lost: str = "", lost_action: str = ""
    ) -> None:
        """`lost`, `lost_action`: as `Facts` has them; who only works does not know."""
        self._ledger = ledger
        self._settings = settings
        self._notices = notices
        self._lost, self._lost_action = lost, lost_action

    def look(self) -> list[Notice]:
        """Sends what is due, unless somebody has; returns what was sent. Raises RedisDownError."""
        return [notice for notice in self.due() if self._notices.send(notice)]

    def due(self) -> list[Notice]:
        """What deserves a notice now, whoever has sent it."""
        settings = self._settings
        facts = read_facts(
            self._ledger,
            settings.limits,
            latency_s=settings.tasks.latency_s,
            newest=NEWEST,
            lost=self._lost,
            lost_action=self._lost_action,
            callbacks=bool(settings.callbacks.public_url),
            simulated=is_simulated(self._ledger.prefix),
        )
        return [
            *of_gate(facts),
            *of_deadlines(facts),
            *self._lasting(facts),
            *(of_unknown(old, facts) for old in self._old_unknown(facts)),
        ]

    def _lasting(self, facts: Facts) -> Iterator[Notice]:
        """Judgements that every look, whoever's it was, has come to for long enough."""
        client, key = self._ledger.client, self._ledger.key("notice", "judged")
        after_ms, now_ms = self._settings.notify.workers_after_s * 1000, facts.read_ms
        found = judged(facts, assess(facts))
        with translated():
            # Judgement → its rule, and since when.
            known = {name: said.split() for name, said in client.hgetall(key).items()}
            since = {
                name: int(known[name][1]) if known.get(name, [""])[0] == one.rule else now_ms
                for name, one in found.items()
            }
            pipeline = client.pipeline().delete(key)
            if found:
                pipeline.hset(key, mapping={name: f"{one.rule} {since[name]}" for name, one in found.items()})
                pipeline.expire(key, QUIET_S)
            pipeline.execute()
        for name, one in found.items():
            if now_ms - since[name] > after_ms:
                yield of_judgement(name, one, facts)

    def _old_unknown(self, facts: Facts) -> Iterator[OldUnknown]:
        """By batch: those that want a job whose money nobody knows of."""
        until = facts.read_ms - int(self._settings.notify.unknown_after_s * 1000)
        if facts.unknown_ms is None or facts.unknown_ms > until:
            return
        with translated():
            found = self._ledger.client.zrangebyscore(
                self._ledger.key("unknown"), "-inf", until, start=0, num=_MOST_UNKNOWN, withscores=True
            )
            pipeline = self._ledger.client.pipeline(transaction=False)
            for request_id, _ in found:
                pipeline.hget(self._ledger.key("job", request_id), "refs")
            refs = pipeline.execute()
        counts: Counter[BatchId] = Counter()
        since: dict[BatchId, int] = {}
        for (_, since_ms), text in zip(found, refs, strict=True):
            for batch in map(BatchId, decode_refs(text or "")):
                counts[batch] += 1
                since.setdefault(batch, int(since_ms))
        for batch, jobs in counts.items():
            yield OldUnknown(batch_id=batch, jobs=jobs, since_ms=since[batch])
