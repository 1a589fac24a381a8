import pytest
from hypothesis import given
from hypothesis import strategies as st

from raylm_apps.gateway.client_address import last_untrusted, parse_networks, site, true_peer

PROXIES = parse_networks(("10.0.0.0/8", "127.0.0.1"))
ADDRESSES = st.ip_addresses().map(str)


def seen(client: str, forwarded: list[str], trusted=PROXIES) -> str:
    return site(last_untrusted(true_peer(client, forwarded), forwarded, trusted))


@pytest.mark.parametrize(
    ("client", "forwarded", "address"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),  # nobody asked it
        ("10.0.0.5", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.5", ["1.1.1.1", "198.51.100.1"], "198.51.100.1"),  # the left one is hearsay
        ("10.0.0.5", ["1.1.1.1", "198.51.100.1", "10.0.0.6"], "198.51.100.1"),
        ("10.0.0.5", ["198.51.100.1:5544"], "198.51.100.1"),
        ("10.0.0.5", ["[2001:db8::1]:5544"], "2001:db8::/64"),
        ("10.0.0.5", ["nonsense"], "10.0.0.5"),
        ("10.0.0.5", [], "10.0.0.5"),
        ("::ffff:203.0.113.9", [], "203.0.113.9"),
        ("2001:db8:1:2:3::4", [], "2001:db8:1:2::/64"),
        # uvicorn has put the forwarded address in the place of a proxy on this machine
        ("198.51.100.1", ["1.1.1.1", "198.51.100.1"], "198.51.100.1"),
    ],
)
def test_the_first_hop_that_is_not_ours(client: str, forwarded: list[str], address: str) -> None:
    assert seen(client, forwarded) == address


@given(ADDRESSES, st.lists(ADDRESSES, max_size=4))
def test_without_proxies_nothing_forwarded_counts(client: str, forwarded: list[str]) -> None:
    """Not even by way of uvicorn, which believes whatever comes from this machine."""
    assert seen(client, forwarded, ()) in (site(client), "127.0.0.1")


@given(st.lists(st.text(max_size=20), max_size=4))
def test_what_clients_write_never_fails(forwarded: list[str]) -> None:
    assert seen("10.0.0.5", forwarded)
