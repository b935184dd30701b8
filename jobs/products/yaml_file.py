"""A small YAML file that people write: values as written, with their lines; what could blow up is refused."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from jobs.errors import ManifestError, NotFoundError

#: Bytes of such a file, and levels of lists and mappings in each other.
_BYTES = 2_000_000
_DEPTH = 6
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

Value = str | list["Node"] | dict[str, "Node"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A value and where it stands."""

    #: `file:line`, for messages.
    place: str
    value: Value

    def mapping(self, what: str) -> dict[str, "Node"]:
        """Its entries. Raises ManifestError: it is no mapping."""
        if isinstance(self.value, dict):
            return self.value
        raise self.error(f"{what} must be a mapping: name: value")

    def items(self, what: str) -> list["Node"]:
        """Its items. Raises ManifestError: it is no list."""
        if isinstance(self.value, list):
            return self.value
        raise self.error(f"{what} must be a list")

    def text(self, what: str) -> str:
        """Its text. Raises ManifestError: it is none."""
        if isinstance(self.value, str):
            return self.value
        raise self.error(f"{what} must be one text")

    def texts(self, what: str) -> tuple[str, ...]:
        """Its texts, one or a list of them; empty ones are left out."""
        nodes = self.value if isinstance(self.value, list) else [self]
        return tuple(text for node in nodes if (text := node.text(what)))

    def error(self, why: str) -> ManifestError:
        """An error at its place."""
        return ManifestError(f"{self.place}: {why}")


def read_yaml(path: Path) -> Node:
    """The file's only document.

    Raises:
        NotFoundError: no such file.
        ManifestError: it cannot be read, is too large, is no YAML, or has anchors, aliases, or a key twice.
    """
    text = _text(path)
    try:
        _refuse_anchors(text, path)
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise ManifestError(f"{path}:{line}: is not YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise ManifestError(f"{path}: is not YAML: {str(error).splitlines()[0]}") from None
    if node is None:
        raise ManifestError(f"{path}: is empty")
    return _built(node, path)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_BYTES + 1)
    except FileNotFoundError:
        raise NotFoundError(f"no such file: {path}") from None
    except OSError as error:
        raise ManifestError(f"{path}: cannot be read: {error.strerror}") from None
    if len(content) > _BYTES:
        raise ManifestError(f"{path}: is larger than {_BYTES:,} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ManifestError(f"{path}: is not UTF-8 text") from None


def _refuse_anchors(text: str, path: Path) -> None:
    """Refuses aliases (bombs) and nesting that nobody writes, before anything is built."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.NodeEvent) and event.anchor is not None:
            raise ManifestError(f"{path}:{line}: anchors and aliases are not read; write the value out")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEPTH:
            raise ManifestError(f"{path}:{line}: is nested too deeply")


def _built(node: yaml.Node, path: Path) -> Node:
    place = f"{path}:{node.start_mark.line + 1}"
    if isinstance(node, yaml.ScalarNode):
        null = not node.style and node.value in {"~", "null"}
        return Node(place=place, value="" if null else node.value.strip())
    if isinstance(node, yaml.SequenceNode):
        return Node(place=place, value=[_built(item, path) for item in node.value])
    entries: dict[str, Node] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.value in entries:
            raise ManifestError(
                f"{path}:{key.start_mark.line + 1}: a key must be one text, and stand once in its mapping"
            )
        entries[key.value] = _built(value, path)
    return Node(place=place, value=entries)
