"""Which checkpoints may be deleted (pure)."""

from collections.abc import Iterable


def expired(steps: Iterable[int], *, keep_last: int, latest: int | None) -> list[int]:
    """All but the newest `keep_last`; the one `latest` points to is never among them."""
    ordered = sorted(set(steps))
    return [step for step in ordered[: max(0, len(ordered) - keep_last)] if step != latest]
