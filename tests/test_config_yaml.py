"""config.yaml: every setting, with the code's own default and a comment."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, SecretStr

from jobs.settings import Settings, read_settings

CONFIG = Path(__file__).parents[1] / "config.yaml"
#: Given by the environment alone.
SECRET = {("callbacks", "secret")}


def leaves(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every setting that is not a section."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from leaves(field.annotation, (*path, name))
        else:
            yield (*path, name)


def given(content: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every key of the file that is not a section."""
    sections = {name for name, field in Settings.model_fields.items() if isinstance(field.default, BaseModel)}
    for name, value in content.items():
        if not path and name in sections:
            yield from given(value, (name,))
        else:
            yield (*path, name)


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import os

    for name in os.environ:
        if name.startswith("VTON_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_the_file_has_every_setting_and_no_other() -> None:
    assert set(given(yaml.safe_load(CONFIG.read_text()))) == set(leaves(Settings)) - SECRET


@pytest.mark.usefixtures("bare_environment")
def test_the_file_says_what_the_code_does_without_it() -> None:
    from_file, from_code = read_settings(CONFIG), read_settings()
    assert plain(from_file) == plain(from_code)


def plain(settings: BaseModel) -> dict[str, Any]:
    """The settings with their secrets readable, so that they can be compared."""
    found: dict[str, Any] = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            found[name] = plain(value)
        else:
            found[name] = value.get_secret_value() if isinstance(value, SecretStr) else value
    return found


def test_every_setting_has_a_comment() -> None:
    without = []
    for number, line in enumerate(CONFIG.read_text().splitlines(), 1):
        text = line.strip()
        if text and not text.startswith("#") and not text.endswith(":") and " # " not in text:
            without.append(f"{number}: {text}")
    assert without == []


def test_the_sections_stand_in_the_order_of_the_code() -> None:
    assert list(yaml.safe_load(CONFIG.read_text())) == list(Settings.model_fields)
