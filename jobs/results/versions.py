"""A row with several versions of its picture as one line: the version that counts, and the history of all."""

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from jobs.records import Image, ResultLine, Verdict, Version, counting

#: What a line has of the version that counts.
_OWN = tuple(name for name in Version.__struct_fields__ if name != "review")


def with_versions(
    lines: Sequence[ResultLine], on: Callable[[Sequence[Image]], tuple[Verdict, ...]]
) -> ResultLine:
    """The line of the first version with all of them; `lines`: one for each, the oldest first; `on`: what was said."""
    versions = tuple(
        Version(**{name: getattr(each, name) for name in _OWN}, review=on(each.images)) for each in lines
    )
    return replace(lines[0], versions=versions)


def as_counted(line: ResultLine, said: Callable[[str], Verdict | None]) -> ResultLine:
    """The line as it is with the version that counts by the verdicts that stand now."""
    if not line.versions:
        return line
    found = line.versions[counting([_hashes(each) for each in line.versions], said)]
    return line if found.version == line.version else as_version(line, found)


def as_version(line: ResultLine, version: Version) -> ResultLine:
    """The line as it would be if this version counted; flags and measures are the former's, and gone."""
    own = {name: getattr(version, name) for name in _OWN}
    plain = ResultLine(batch=line.batch, row=line.row, sku=line.sku, status=version.status)
    return replace(line, flags=plain.flags, measures=plain.measures, **own)


def _hashes(version: Version) -> list[str]:
    return [image.sha256 for image in version.images] if version.status == "succeeded" else []
