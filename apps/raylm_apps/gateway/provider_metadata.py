"""What a provider wants to see again of its answers, kept under its name: no other is shown it."""

from collections.abc import Mapping
from typing import Any

Part = dict[str, Any]


def signed_by(provider: str, signature: str) -> Part:
    """The field of a part on the wire; none for a signature that is empty."""
    return {"providerMetadata": {provider: {"signature": signature}}} if signature else {}


def signature_of(metadata: Mapping[str, Any] | None, provider: str) -> str:
    """Empty where another provider has signed, or nobody."""
    signature: str = (metadata or {}).get(provider, {}).get("signature", "")
    return signature
