"""Where a request comes from; forwarded addresses are believed of named proxies alone."""

import ipaddress
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import TypeAlias

from starlette.requests import HTTPConnection

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

HERE = "127.0.0.1"
LONGEST_KEPT = 200
IPV6_SITE_BITS = 64  # of which one household or server has a whole network


def address_of(request: HTTPConnection, trusted: Sequence[Network]) -> str:
    """What limits count by: an IPv4 address, or an IPv6 network of 64 bits."""
    forwarded = ",".join(request.headers.getlist("x-forwarded-for"))
    client = request.client.host if request.client else HERE
    known = _address if len(forwarded) < LONGEST_KEPT else _address.__wrapped__
    return known(client, forwarded, tuple(trusted))


@lru_cache(4096)
def _address(client: str, forwarded: str, trusted: tuple[Network, ...]) -> str:
    hops = [entry.strip() for entry in forwarded.split(",")] if forwarded else []
    return site(last_untrusted(true_peer(client, hops), hops, trusted))


def true_peer(client: str, forwarded: Sequence[str]) -> str:
    """uvicorn puts the last forwarded address in the place of a peer on this machine. Undo it:
    on the same machine there may be a proxy that passes on whatever it is told."""
    others = [entry for entry in forwarded if not _is_local(entry)]
    return HERE if others and _host(others[-1]) == _host(client) else client


def last_untrusted(peer: str, forwarded: Sequence[str], trusted: Sequence[Network]) -> str:
    """From the nearest hop outwards: the first that is not one of our own proxies."""
    for hop in (peer, *reversed(forwarded)):
        found = _parsed(hop)
        if found is None:
            return peer  # a proxy of ours would not write this: whoever did is behind the peer
        if not any(found in network for network in trusted):
            return str(found)
        peer = hop
    return peer


def site(address: str) -> str:
    found = _parsed(address)
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((found, IPV6_SITE_BITS), strict=False))
    return str(found) if found else address[:64]


@cache
def parse_networks(names: tuple[str, ...]) -> tuple[Network, ...]:
    """Raises ValueError."""
    return tuple(ipaddress.ip_network(name, strict=False) for name in names)


def _is_local(text: str) -> bool:
    found = _parsed(text)
    return found is not None and found.is_loopback


def _host(text: str) -> str:
    """Without the port that some proxies add."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


@lru_cache(4096)
def _parsed(text: str) -> Address | None:
    try:
        found = ipaddress.ip_address(_host(text))
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found
