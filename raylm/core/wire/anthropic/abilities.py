"""What one of Anthropic's models takes: their generations differ in thinking and in sampling."""

import re
from dataclasses import dataclass
from typing import Any

_VERSION = re.compile(r"claude-(?:[a-z]+-)*(\d{1,2})(?:[-.](\d{1,2}))?(?!\d)")


@dataclass(frozen=True)
class Abilities:
    """Those of the newest models, for a name that tells nothing."""

    thinks: bool = True
    adaptive: bool = True
    """Thinks as its effort says; one that does not has a budget of tokens."""
    sampled: bool = False
    """Has a temperature; models since 4.7 refuse one."""
    max_tokens: int | None = None


def abilities_of(model: dict[str, Any]) -> Abilities:
    """Of an entry of the models list. Raises LookupError or TypeError for a strange one."""
    told = model.get("capabilities")
    if not told:
        return abilities_by_name(model["id"])
    thinking = told["thinking"]
    by_budget = thinking["types"]["enabled"]["supported"]
    return Abilities(
        thinks=thinking["supported"],
        adaptive=thinking["types"]["adaptive"]["supported"],
        sampled=by_budget or not thinking["supported"],
        max_tokens=model.get("max_tokens"),
    )


def abilities_by_name(model: str) -> Abilities:
    found = _VERSION.search(model)
    if found is None:
        return Abilities()
    version = int(found[1]), int(found[2] or 0)
    return Abilities(thinks=version >= (3, 7), adaptive=version >= (4, 6), sampled=version < (4, 7))
