"""What a stranger's words may not carry into logs, traces and errors: keys and tokens."""

import re

_SECRET = re.compile(
    r"\b(?:sk|pk|rk|xai|gsk|ghp|gho|raylm|AIza|hf|AKIA)[-_]?[A-Za-z0-9*][A-Za-z0-9*_.-]{6,}"
    r"|(?<=Bearer )\S+|(?<=[?&]key=)[^&\s\"']+",
    re.IGNORECASE,
)


def redacted(text: str) -> str:
    return _SECRET.sub("[redacted]", text)
