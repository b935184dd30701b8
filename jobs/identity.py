"""Identity: what is bought decides the id, so the same pair is the same job today and tomorrow.

A local file counts by its content, and by the size of the JPEG if one is made of it; an address by its text without what
signs or expires it; the epoch is moved by `--again`. Later versions of a pair have ids of their own.
"""

import re
from collections.abc import Collection, Mapping
from hashlib import sha1
from uuid import UUID

from jobs.records import BatchId, Pair, RequestId, Source, Url
from jobs.signed_addresses import unsigned

#: Never change: every id ever bought hangs on it.
NAMESPACE = UUID("5f3c9d2e-7a41-5b8e-9c06-3d1e8f2b7a64")
_NAMESPACE_BYTES = NAMESPACE.bytes


def request_id(pair: Pair, epoch: str = "", volatile: Collection[str] = ()) -> RequestId:
    """The UUIDv5 of a pair. Lengths are part of the text, so no two pairs read alike.

    `volatile`: names of parameters, in small letters, that set no picture apart, beside those of signatures.
    """
    parts = []
    for slot, source in pair.slots():  # by hand: a million rows ask for a million ids
        if isinstance(source, Url):
            url = unsigned(source.url, volatile) if "?" in source.url else source.url
            parts.append(f"{slot}=url:{len(url)}:{url}")
        else:
            parts.append(f"{slot}={_whole(source)}")
    return _request_id(parts, epoch)


def plain_request_id(addresses: Mapping[str, str], epoch: str = "") -> RequestId:
    """The same of a pair that is nothing but addresses without a query, by slot in the pair's order."""
    return _request_id([f"{slot}=url:{len(url)}:{url}" for slot, url in addresses.items()], epoch)


def former_request_id(pair: Pair, epoch: str = "") -> RequestId:
    """The id of a pair before signatures were left out of addresses."""
    return _request_id([f"{slot}={_whole(source)}" for slot, source in pair.slots()], epoch)


def version_id(first: RequestId, version: int) -> RequestId:
    """The id of the job that buys a pair once more; version 1 is the pair's own job, `first`."""
    return first if version == 1 else RequestId(uuid5_text(f"version={version}:{first}"))


def _request_id(parts: list[str], epoch: str) -> RequestId:
    if epoch:
        parts.append(f"epoch={len(epoch)}:{epoch}")
    return RequestId(uuid5_text("\n".join(parts)))


def uuid5_text(name: str) -> str:
    """What `str(uuid.uuid5(NAMESPACE, name))` says, in a third of its time: a million rows ask for a million of them."""
    digest = sha1(_NAMESPACE_BYTES + name.encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digest[16], 16) & 3]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"


def _whole(source: Source) -> str:
    if isinstance(source, Url):
        return f"url:{len(source.url)}:{source.url}"
    return f"sha256:{source.sha256}" + f" jpeg:{source.jpeg}" * bool(source.jpeg)


def batch_id(stem: str, digest: str, again: str = "") -> BatchId:
    """`<stem>-<8 hex of the content>`, so the same file again is the same batch; `again` makes it another one."""
    parts = [safe_batch_name(stem), digest[:8]]
    if again:
        parts.append(safe_batch_name(again))
    return BatchId("-".join(parts))


def safe_batch_name(text: str) -> str:
    """Only what is harmless as a folder's name and as a Redis key."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("._-")[:80] or "batch"
