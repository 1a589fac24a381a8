"""Thoughts that Anthropic keeps secret pass through us as signatures of a kind of their own."""

_MARK = "redacted_thinking:"  # no signature has a colon, for they are base64


def as_signature(data: str) -> str:
    return _MARK + data


def redacted_data(signature: str) -> str | None:
    """None where it is the signature of a thought that was told."""
    return signature.removeprefix(_MARK) if signature.startswith(_MARK) else None
