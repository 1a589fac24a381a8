"""Names of ops and implementations as users write them (pure)."""

import difflib
from collections.abc import Collection


def parse_forced(forced: str) -> dict[str, str]:
    """Op -> implementation; raises ValueError for what is not `op=implementation,...`."""
    pairs = [part.partition("=") for part in forced.split(",") if part.strip()]
    for op, equals, name in pairs:
        if not (op.strip() and equals and name.strip()):
            raise ValueError(
                f"RAYLM_KERNELS has {op + equals + name!r}; write op=implementation, for example "
                "RAYLM_KERNELS=rms_norm=torch"
            )
    return {op.strip(): name.strip() for op, _, name in pairs}


def unknown(name: str, known: Collection[str]) -> str:
    """The name, and the one that may be meant."""
    nearest = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"there are {', '.join(sorted(known))}"
    return f"{name!r}; {hint}"
