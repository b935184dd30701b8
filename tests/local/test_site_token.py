"""The token of a served site: made once, this user's only, and said where no log is made of it."""

import stat

import pytest

from jobs.errors import ConfigError
from jobs.local.site_token import entrance, own_token, token_file


def test_it_is_made_once_and_only_this_user_reads_it(tmp_path):
    folder = tmp_path / "data"
    token = own_token(folder, "review")
    assert len(token) >= 32
    assert own_token(folder, "review") == token
    assert own_token(tmp_path / "other", "review") != token
    assert own_token(folder, "dashboard") != token
    assert stat.S_IMODE((token_file(folder, "review")).stat().st_mode) == 0o600


def test_a_folder_that_takes_none_and_a_file_that_holds_none_are_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="file"):
        own_token(tmp_path / "file", "review")
    token_file(tmp_path, "review").write_text(" \n")
    with pytest.raises(ConfigError, match="empty; remove it"):
        own_token(tmp_path, "review")
    token_file(tmp_path, "review").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is no token"):
        own_token(tmp_path, "review")


@pytest.mark.parametrize(
    ("own", "terminal", "said"),
    [
        (True, True, "review: http://h:1/#token={token}"),
        (True, False, "review: http://h:1/ (its token: {file})"),
        (False, True, "review: http://h:1/ (its token: VTON_REVIEW__TOKEN)"),
        (False, False, "review: http://h:1/ (its token: VTON_REVIEW__TOKEN)"),
    ],
)
def test_a_log_hears_where_it_is_and_a_terminal_what_it_is(tmp_path, own, terminal, said):
    token = own_token(tmp_path, "review") if own else "the-shops-own-token"
    line = entrance("review", "http://h:1/", token, tmp_path, terminal=terminal)
    assert line == said.format(token=token, file=token_file(tmp_path, "review"))
