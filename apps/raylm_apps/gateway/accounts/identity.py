"""What a provider says of the user who came back from it."""

from dataclasses import dataclass
from typing import Literal

ProviderName = Literal["github", "google"]


@dataclass(frozen=True)
class Identity:
    """`verified_email` only where the provider has verified it; others are not even looked at."""

    provider: ProviderName
    subject: str
    verified_email: str | None
    name: str | None


def display_name(given: str | None) -> str | None:
    """What people may have called themselves elsewhere, in what our own form would take."""
    printable = "".join(letter for letter in given or "" if letter.isprintable())
    return printable.strip()[:100] or None
