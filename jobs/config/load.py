"""Configuration: reads `config.yaml` under the environment, once, for the composition root.

Order, first wins: environment `VTON_<SECTION>__<KEY>`, the file (`--config`, `VTON_CONFIG`, `./config.yaml`), the defaults
of jobs.config.settings. Secrets come from the environment or from a file it names, never from config.yaml.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_origin
from urllib.parse import unquote

from pydantic import SecretStr, ValidationError

from jobs.config.advice import CONFIG_VARIABLES
from jobs.config.reasons import example, nearest, why
from jobs.config.redis_address import passwords
from jobs.config.settings import SECRET_SETTINGS, Credentials, Settings, secret_variable
from jobs.errors import ConfigError, NotFoundError
from jobs.failpoints import ARMED_BY

if TYPE_CHECKING:
    from yaml import Node

#: Dots in a key's full name: a table in a section in the file.
_DEEPEST = 2


def read_settings(config: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Reads the settings.

    Raises:
        NotFoundError: the file named does not exist.
        ConfigError: unknown keys or bad values; a line for each, which names it.
    """
    path = config or (Path(environ["VTON_CONFIG"]) if environ.get("VTON_CONFIG") else None)
    if path is not None and not path.is_file():
        raise NotFoundError(f"no such file: {path}")
    path = path or Path("config.yaml")
    sources = (_file(path), _environment(environ), _secret_settings(environ))
    try:
        return Settings.model_validate(reduce(_over, sources))
    except ValidationError as error:
        lines = {
            f"{'.'.join(map(str, each['loc']))}: {why(each)} ({_origin(each['loc'], path, environ)})": None
            for each in error.errors()
        }
        raise ConfigError("\n  ".join(lines)) from None


def _environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """What the variables say, by section and key. Raises ConfigError: no setting's, or no JSON where it must be."""
    files = {f"{secret_variable(*each)}_FILE" for each in SECRET_SETTINGS}
    said: dict[str, Any] = {}
    for name, text in environ.items():
        # In whatever case: a budget that is misspelt so is one all the same.
        if not name.upper().startswith("VTON_") or name.upper() in {*CONFIG_VARIABLES, ARMED_BY, *files}:
            continue
        section, _, key = name.lower().removeprefix("vton_").partition("__")
        field = Settings.model_fields.get(section)
        if field is None:
            near = nearest(section, Settings.model_fields)
            raise ConfigError(
                f"{name}: unknown setting{near and f'; did you mean {secret_variable(near, key)}?'}"
            )
        keys = getattr(field.annotation, "model_fields", {})
        if bool(key) != bool(keys):
            wanted = f"a section; a setting of it is {name}__<KEY>" if keys else "a setting without keys"
            raise ConfigError(f"{section}: is {wanted} ({name})")
        if not key:
            said[section] = text
            continue
        listed = key in keys and get_origin(keys[key].annotation) in {tuple, dict}
        said.setdefault(section, {})[key] = _json(name, text, (section, key)) if listed else text
    return said


def _json(name: str, text: str, where: tuple[str, str]) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise ConfigError(
            f"{name}: a list or a table in the environment is JSON, e.g. {example(where)}"
        ) from None


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Sections and keys of `above` before those of `below`; what is no section below stays, for it is a mistake."""
    merged = dict(below)
    for section, said in above.items():
        there = merged.get(section, {})
        if not isinstance(said, dict):
            merged[section] = said
        elif isinstance(there, dict):
            merged[section] = there | said
    return merged


def _secret_settings(environ: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Section → key → secret, from the environment or from the file it names."""
    found: dict[str, dict[str, str]] = {}
    for section, key in SECRET_SETTINGS:
        secret = _secret(secret_variable(section, key), environ)
        if secret is not None:
            found.setdefault(section, {})[key] = secret.get_secret_value()
    return found


def read_credentials(environ: Mapping[str, str] = os.environ) -> Credentials:
    """Reads HIDREAM_TOKEN or HIDREAM_API_KEY, or the files that HIDREAM_TOKEN_FILE or HIDREAM_API_KEY_FILE name."""
    return Credentials(token=_secret("HIDREAM_TOKEN", environ), api_key=_secret("HIDREAM_API_KEY", environ))


def secrets_of(settings: Settings, credentials: Credentials) -> list[str]:
    """Every secret text, for the log's redaction: of the account, callbacks, Redis, reviews, notices and traces."""
    given = [each.get_secret_value() for each in (credentials.token, credentials.api_key) if each is not None]
    keys = [key.strip() for key in settings.callbacks.secret.get_secret_value().split(",")]
    sites = (settings.review, settings.dashboard)
    opening = [token.get_secret_value() for site in sites for token in (site.token, site.look_token)]
    notify = settings.notify
    notices = [notify.webhook.get_secret_value(), notify.secret.get_secret_value()]
    notices += notify.apprise.get_secret_value().split()
    return [
        text
        for text in (
            *given,
            *keys,
            *opening,
            *passwords(settings.redis.url.get_secret_value()),
            *notices,
            *(_otlp_headers(os.environ) if settings.tracing.enabled else ()),
        )
        if text
    ]


def _otlp_headers(environ: Mapping[str, str]) -> Iterator[str]:
    """The values of the headers that traces are sent with, as written and as sent."""
    for name in ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"):
        for header in environ.get(name, "").split(","):
            value = header.partition("=")[2].strip()
            yield from (value, unquote(value))


def _origin(where: Sequence[int | str], path: Path, environ: Mapping[str, str]) -> str:
    """Where a bad setting was said: the variable, else the file."""
    name = "VTON_" + "__".join(str(part) for part in where[:2]).upper()
    return next((each for each in (name, f"{name}_FILE") if each in environ), str(path))


def _secret(name: str, environ: Mapping[str, str]) -> SecretStr | None:
    if environ.get(name):
        return SecretStr(environ[name].strip())
    if environ.get(f"{name}_FILE"):
        path = Path(environ[f"{name}_FILE"])
        try:
            return SecretStr(path.read_text().strip())
        except OSError as error:
            raise ConfigError(f"{name}_FILE: cannot read {path}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ConfigError(f"{name}_FILE: {path} is no text") from None
    return None


def _twice(root: "Node | None") -> str:
    """The line and the name of the first key that stands twice among the sections or in one; empty without any."""
    # Not loaded before there is something to read.
    from yaml import MappingNode  # noqa: PLC0415

    found = [] if root is None else [("", root)]
    for within, node in found:
        # A list of pairs: only a mapping's are of key and value.
        pairs = node.value if isinstance(node, MappingNode) else ()
        first: dict[str, int] = {}
        for key, value in pairs:
            name, line = f"{within}{key.value}", key.start_mark.line + 1
            if name in first:
                return f"{line}: {name}: the key stands twice, on line {first[name]} too"
            first[name] = line
            if name.count(".") < _DEEPEST:
                found.append((f"{name}.", value))
    return ""


def _file(path: Path) -> dict[str, Any]:
    """The file's content; an absent default file is an empty one."""
    if not path.is_file():
        return {}
    # Not loaded before there is something to read.
    import yaml  # noqa: PLC0415

    try:
        loader = yaml.SafeLoader(path.read_text(encoding="utf-8"))
        root = loader.get_single_node()
        if twice := _twice(root):
            raise ConfigError(f"{path}:{twice}")
        content = loader.construct_document(root) if root else None
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{path}{line}: not readable as YAML: {error.problem or error.context}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: not readable as YAML: {str(error).splitlines()[0]}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: must be a mapping of sections")
    for section, key in (
        ("callbacks", "secret"),
        ("review", "token"),
        ("review", "look_token"),
        ("dashboard", "token"),
        ("dashboard", "look_token"),
        ("redis", "password"),
        ("hidream", "token"),
        ("hidream", "api_key"),
        ("notify", "secret"),
        ("notify", "apprise"),
    ):
        if isinstance(content.get(section), dict) and key in content[section]:
            raise ConfigError(
                f"{path}: {section}.{key}: secrets are given by the environment, never by a file in the tree"
            )
    redis = content.get("redis")
    if isinstance(redis, dict) and passwords(str(redis.get("url") or "")):
        raise ConfigError(
            f"{path}: redis.url: an address with a password is given by the environment (VTON_REDIS__URL or"
            " VTON_REDIS__URL_FILE), never by a file in the tree"
        )
    return content
