"""What a callback's body says: the task it speaks of, in every shape seen across the gateway's generations.

Pure: bytes in, value out. The body is a hint and nothing more; pictures and states in it are never believed.
"""

import json
from typing import Any

#: HiDream's ids are short; a longer one is not worth keeping.
_MAX_TASK_ID = 128


def task_of(body: bytes) -> str | None:
    """The task a body names; None when it names none.

    The shapes: the full envelope `{"code", "result": {"task_id", …}}`, the bare `{"task_id",
    "sub_task_results"}`, `{"main_task_id", "sub_task_results"}` and `{"main_task_id", "result": {…}}`.

    Raises:
        ValueError: the body is not a JSON object: broken, a list, too deeply nested, an endless number.
    """
    try:
        content = json.loads(body)
    except RecursionError as error:
        raise ValueError("too deeply nested") from error
    if not isinstance(content, dict):
        raise ValueError("not an object")  # noqa: TRY004 to the caller it is one more body that is none
    return _task_id(content) or _task_id(content.get("result"))


def _task_id(content: Any) -> str | None:
    if not isinstance(content, dict):
        return None
    for key in ("task_id", "main_task_id"):
        value = content.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if isinstance(value, str) and 0 < len(value) <= _MAX_TASK_ID and value.isprintable():
            return value
    return None
