"""A key that nothing documents and that does not expire stays for ever: every test that uses a ledger looks for such."""

from jobs.ledger import Ledger
from tests.conftest import stray_keys


def test_a_key_that_no_list_names_is_found_unless_it_expires(ledger: Ledger) -> None:
    ledger.client.set(ledger.key("meta"), "listed")
    ledger.client.set(ledger.key("nonsense", "a"), "for a while", px=60_000)
    assert list(stray_keys(ledger.client, ledger.prefix)) == []
    ledger.client.set(ledger.key("nonsense", "b"), "for ever")
    assert list(stray_keys(ledger.client, ledger.prefix)) == [ledger.key("nonsense", "b")]
    ledger.client.delete(ledger.key("nonsense", "b"))
