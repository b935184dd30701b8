"""The exporter's lease: one exporter at a time per batch, which must say often that it is alive."""

from collections.abc import Callable
from uuid import uuid4

from jobs.errors import VtonError
from jobs.ledger import Ledger
from jobs.records import BatchId
from jobs.redis.client import translated

#: An exporter that died gives its batch free after this long.
LEASE_MS = 30_000
#: A living one renews its lease after this long.
RENEW_S = 5.0

# KEYS: the lease, the batch's hash; ARGV: the exporter's token, LEASE_MS, take or renew. The batch remembers its last
# exporter: a lease that is absent does not say whether it merely expired or was another's meanwhile.
_TAKE = """
local holder = redis.call('GET', KEYS[1])
if (holder and holder ~= ARGV[1]) or redis.call('EXISTS', KEYS[2]) == 0 then return 0 end
if ARGV[3] == 'renew' and redis.call('HGET', KEYS[2], 'exporter') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('HSET', KEYS[2], 'exporter', ARGV[1])
return 1
"""
_DROP = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class LeaseLostError(VtonError):
    """Another exporter has taken the batch over."""


class Lease:
    """One exporter's lease of one batch; `clock`: seconds, for the times between renewals."""

    def __init__(self, ledger: Ledger, batch_id: BatchId, clock: Callable[[], float]) -> None:
        self._client = ledger.client
        self._keys = (ledger.key("exporting", batch_id), ledger.key("batch", batch_id))
        self._token = uuid4().hex
        self._clock = clock
        self._renewed_s = float("-inf")

    def take(self) -> bool:
        """False when another exporter has it. Sent again because its reply was lost, it finds our own token."""
        return self._ask("take")

    def held(self) -> bool:
        """Renews it, expired or not; False when another exporter has taken the batch over, be it done by now."""
        return self._ask("renew")

    def renew(self) -> None:
        """Renews it now. Raises LeaseLostError."""
        if not self.held():
            raise LeaseLostError("another exporter has taken the batch over")

    def keep(self) -> None:
        """Renews it when it is time. Raises LeaseLostError."""
        if self._clock() - self._renewed_s >= RENEW_S:
            self.renew()

    def drop(self) -> None:
        """Gives the batch free, unless it is another's."""
        with translated():
            self._client.eval(_DROP, 1, self._keys[0], self._token)

    def _ask(self, how: str) -> bool:
        with translated():
            held = bool(self._client.eval(_TAKE, 2, *self._keys, self._token, LEASE_MS, how))
        self._renewed_s = self._clock()
        return held
