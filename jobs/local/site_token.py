"""The token that opens a served site when none is set: the data folder's own, made once; and who hears of it."""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal, get_args

from jobs.errors import ConfigError

#: `review` serves the contact sheets, `dashboard` what goes on.
Site = Literal["review", "dashboard"]
SITES: Final[tuple[Site, ...]] = get_args(Site)


def token_file(data_dir: Path, site: Site) -> Path:
    """Where the data folder's own token is."""
    return data_dir / f"{site}.token"


def ready(site: Site) -> str:
    """How the line begins that says where a site is."""
    return f"{site}: "


def own_token(data_dir: Path, site: Site) -> str:
    """The data folder's own token, which only this user can read. Raises ConfigError: the folder takes none."""
    path = token_file(data_dir, site)
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(made, "w", encoding="ascii") as file:
                file.write(secrets.token_urlsafe(24))
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {getattr(error, 'strerror', None) or 'is no token'}") from None
    if not token:
        raise ConfigError(f"{path}: empty; remove it, and another one is made")
    return token


def entrance(site: Site, address: str, token: str, data_dir: Path, *, terminal: bool) -> str:
    """The line that says where a site is; with the folder's own token only where no log is made of it."""
    path = token_file(data_dir, site)
    own = path.is_file() and own_token(data_dir, site) == token
    if own and terminal:
        return f"{ready(site)}{address}#token={token}"
    return f"{ready(site)}{address} (its token: {path if own else f'VTON_{site.upper()}__TOKEN'})"
