"""What words may not carry into logs, traces and errors: keys, and who people are."""

import re

_SECRET = re.compile(
    r"\b(?:sk|pk|rk|xai|gsk|ghp|gho|raylm|AIza|hf|AKIA)[-_]?[A-Za-z0-9*][A-Za-z0-9*_.-]{6,}"
    r"|(?<=Bearer )\S+|(?<=[?&]key=)[^&\s\"']+",
    re.IGNORECASE,
)


_PERSONAL = re.compile(
    r"[\w.+-]+@[\w-]+\.[\w.-]+"  # e-mail addresses
    r"|\b(?:\d[ -]?){12,18}\d\b"  # numbers of cards and accounts
    r"|(?<![\w.])\+?\d(?:[ ()/-]?\d){8,13}\b"  # of telephones
)


def redacted_text(text: str) -> str:
    """What people wrote, without what tells who they are."""
    return _PERSONAL.sub("[redacted]", redacted(text))


def redacted(text: str) -> str:
    return _SECRET.sub("[redacted]", text)
