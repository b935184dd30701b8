"""The script: what the account is like, and which requests are answered wrongly. Read again whenever its file changes.

{"account": {…}, "rules": [{"at": "submit", "do": "status", "status": 503, "after": true, "when": {"ordinals": [4]}}]}

A rule's `when` (all must hold; none: every request):
  match      text in the pair's addresses or in the task id
  tasks      tasks that must have been made
  ordinals   these requests of those that match, counted from 1; or `from`, `to`, `every`
  for_s      from the first request that is struck, for so many seconds
  each       at most so often for one pair (submit) or one task
What a rule does is described in account.py. Counts of a rule are kept as long as its text stands in the script.
"""

import json
import math
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class Rule:
    """One rule with what it has counted."""

    fields: dict[str, Any]
    seen: int = 0
    struck: Counter[str] = field(default_factory=Counter)
    since: float | None = None

    def strikes(self, subject: str, text: str, tasks: int) -> bool:
        """Whether this request is struck; counts it."""
        when = self.fields.get("when", {})
        if when.get("match", "") not in text or tasks < when.get("tasks", 0):
            return False
        self.seen += 1
        if not self._counted(when) or self.struck[subject] >= when.get("each", math.inf):
            return False
        now = time.monotonic()
        if self.since is None:
            self.since = now
        if now - self.since > when.get("for_s", math.inf):
            return False
        self.struck[subject] += 1
        return True

    def _counted(self, when: dict[str, Any]) -> bool:
        if "ordinals" in when:
            return self.seen in when["ordinals"]
        every = when.get("every", 1)
        return when.get("from", 1) <= self.seen <= when.get("to", math.inf) and self.seen % every == 0


class Script:
    """The script's file as it stands now; without one, a faultless account."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: tuple[int, int] | None = None
        self._rules: dict[str, Rule] = {}
        self._account: dict[str, Any] = {}
        self._lock = threading.Lock()

    def account(self) -> dict[str, Any]:
        """What the account is like, see account.py."""
        with self._lock:
            self._read()
            return self._account

    def struck(self, place: str, subject: str, text: str, tasks: int) -> dict[str, Any] | None:
        """The first rule for a place that strikes this request."""
        with self._lock:
            self._read()
            for rule in self._rules.values():
                if rule.fields["at"] == place and rule.strikes(subject, text, tasks):
                    return rule.fields
        return None

    def _read(self) -> None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return
        if (found.st_mtime_ns, found.st_ino) != self._known:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            self._known = (found.st_mtime_ns, found.st_ino)
            self._account = content.get("account", {})
            texts = {json.dumps(fields, sort_keys=True): fields for fields in content.get("rules", [])}
            self._rules = {text: self._rules.get(text) or Rule(fields) for text, fields in texts.items()}
