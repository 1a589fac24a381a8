"""One seed in, one independent 63-bit seed per purpose out."""

import hashlib


def derive_seed(seed: int, *purpose: str | int) -> int:
    """A seed for `purpose`, e.g. `derive_seed(0, "shuffle", epoch)`; equal on every machine."""
    text = ":".join(map(str, (seed, *purpose)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> 1
