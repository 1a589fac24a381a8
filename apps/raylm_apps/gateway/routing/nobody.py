"""One clear error where nobody answers, whatever has happened on the way."""

from collections.abc import Sequence

from raylm.core.wire.failure import Failure
from raylm_apps.gateway.providers.base import ProviderError, ToolsRefusedError
from raylm_apps.gateway.routing.call import Attempt
from raylm_apps.gateway.routing.circuit_board import CircuitBoard
from raylm_apps.gateway.routing.route import Pool

ABOUT_THE_QUESTION = frozenset({Failure.REQUEST, Failure.TOO_LONG, Failure.POLICY})


def nobody_left(
    name: str, errors: Sequence[ProviderError], attempts: Sequence[Attempt]
) -> ProviderError:
    """A refusal of tools is told as such: without them, somebody may answer."""
    for error in errors:
        if isinstance(error, ToolsRefusedError):
            return error
    last = errors[-1]
    if len(errors) == 1 or last.failure in ABOUT_THE_QUESTION:
        return last
    failed = [f"{attempt.model}: {attempt.failure}" for attempt in attempts if attempt.failure]
    waits_s = [error.retry_after_s for error in errors if error.retry_after_s]
    return ProviderError(
        f"None of the models behind {name} can answer at the moment. Please try again.",
        cause="; ".join(failed),
        failure=last.failure,
        retry_after_s=min(waits_s, default=None),
    )


def all_resting(pool: Pool, board: CircuitBoard) -> ProviderError:
    """Nobody was asked."""
    models = [member.model for member in pool.members]
    wait_s = min(map(board.open_for_s, models))
    return ProviderError(
        f"The models behind {pool.name} have failed lately and are left alone for "
        f"{max(round(wait_s), 1)} s. Please try again then.",
        cause=f"open circuits: {', '.join(models)}",
        failure=Failure.BUSY,
        retry_after_s=wait_s,
    )
