"""config.yaml is what the code does when it is not there, and says what every key is."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, SecretStr

from jobs.config.load import read_settings
from jobs.config.settings import Settings

CONFIG = Path(__file__).parents[2] / "config.yaml"
TEXT = CONFIG.read_text(encoding="utf-8")
#: Given by the environment only.
SECRET = {
    "callbacks.secret",
    "review.token",
    "dashboard.token",
    "dashboard.look_token",
    "review.look_token",
    "notify.secret",
    "notify.apprise",
}
#: Their name is their comment.
SELF_TELLING = re.compile(
    r"(base_url|_path|token_url|_timeout_s|host|port|_processes|_threads|max_pixels|level)$"
)
#: Their comment stands with a key beside them, or their unit is their name.
PERIODS = {"workers.reconcile_s"}


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("VTON_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def keys_of_code(model: type[BaseModel], prefix: str = "") -> dict[str, Any]:
    """`section.key` → default."""
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        if isinstance(field.default, BaseModel):
            found |= keys_of_code(type(field.default), f"{prefix}{name}.")
        else:
            found[prefix + name] = field.default
    return found


def keys_of_file() -> dict[str, str]:
    """`section.key` → its comment, which may be empty."""
    found: dict[str, str] = {}
    section = ""
    for line in TEXT.splitlines():
        if not (match := re.match(r"( *)(\w+):(?: +(\S.*))?$", line)):
            continue
        indent, name, rest = match.groups()
        if rest is None:
            section = f"{name}."
            continue
        value, _, comment = rest.partition("  #") if "  #" in rest else rest.partition(" #")
        assert value.strip()
        found[section + name if indent else name] = comment.strip()
    return found


def test_the_file_says_what_the_code_does_without_it() -> None:
    assert read_settings(CONFIG, {}) == read_settings(None, {}) == Settings()


def test_the_file_has_every_key_once_and_no_other() -> None:
    assert keys_of_file().keys() == keys_of_code(Settings).keys() - SECRET
    names = [line.split(":")[0] for line in TEXT.splitlines() if re.match(r"\w+:$", line)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("key", sorted(keys_of_code(Settings).keys() - SECRET))
def test_each_key_alone_has_the_codes_default(key: str) -> None:
    content = yaml.safe_load(TEXT)
    section, _, name = key.rpartition(".")
    value = content[section][name] if section else content[name]
    alone = Settings.model_validate({section: {name: value}} if section else {name: value})
    found = getattr(getattr(alone, section), name) if section else getattr(alone, name)
    default = keys_of_code(Settings)[key]
    assert found == default
    assert isinstance(default, SecretStr | Path | tuple | dict) or type(value) in {type(default), int, float}


def test_every_key_is_told_by_a_comment_or_by_its_own_name() -> None:
    mute = {key for key, comment in keys_of_file().items() if not comment and not SELF_TELLING.search(key)}
    assert mute - PERIODS == set()


def test_the_file_holds_no_secret() -> None:
    for key in SECRET:
        assert key.rpartition(".")[2] + ":" not in TEXT
    assert read_settings(CONFIG, {}).redis.url.get_secret_value() == ""
