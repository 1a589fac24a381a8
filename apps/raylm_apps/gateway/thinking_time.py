"""How long a model has thought, kept with the thought: a page that comes later can still say it."""

from collections.abc import Callable

from raylm_apps.gateway.provider_metadata import Part

NAME = "raylm"  # whose the figure is, in the field where providers keep theirs


class ThinkingTime:
    """From the first delta of a thought to its last."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._first_s: float | None = None
        self._last_s = 0.0

    def note(self) -> None:
        self._last_s = self._clock()
        if self._first_s is None:
            self._first_s = self._last_s

    def take_ms(self) -> int | None:
        """None where nothing was thought; the next thought is timed anew."""
        first_s, self._first_s = self._first_s, None
        return None if first_s is None else round((self._last_s - first_s) * 1000)


def timed(metadata: Part, duration_ms: int | None) -> Part:
    """The fields of a thought's end, with `providerMetadata.raylm.durationMs`."""
    if duration_ms is None:
        return metadata
    said = metadata.get("providerMetadata", {})
    ours = {**said.get(NAME, {}), "durationMs": duration_ms}
    return {**metadata, "providerMetadata": {**said, NAME: ours}}
