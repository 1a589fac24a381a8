"""The factor that keeps small fp16 gradients from vanishing."""

from typing import Self

from raylm.core.schema import LossScaleConfig


class LossScale:
    """Micikevicius et al. 2018, section 3.2; the rules for when to move are DeepSpeed's.

    The first `hysteresis - 1` overflows are forgiven, each further one halves the scale, never
    under `minimum`. After `window` good steps in a row the next good one doubles it, and so does
    every `window`-th after that; only a doubling forgives overflows anew. A static scale never
    moves.
    """

    def __init__(self, config: LossScaleConfig) -> None:
        self._config = config
        if config.static is not None:
            self.scale = config.static
        else:
            self.scale = max(2.0**config.initial_power, config.minimum)
        self._forgiven_left = config.hysteresis - 1
        self._good_steps = 0

    @classmethod
    def none(cls) -> Self:
        """For fp32 and bf16, whose exponents reach far enough: always 1."""
        return cls(LossScaleConfig(static=1.0))

    @property
    def dynamic(self) -> bool:
        return self._config.static is None

    def update(self, overflowed: bool) -> None:
        """To be called once a step, on every worker with the same answer."""
        if not self.dynamic:
            return
        if overflowed:
            self._shrink()
        else:
            self._grow()

    def _shrink(self) -> None:
        self._good_steps = 0
        if self._forgiven_left:
            self._forgiven_left -= 1
        else:
            self.scale = max(self.scale / 2, self._config.minimum)

    def _grow(self) -> None:
        if self._good_steps and self._good_steps % self._config.window == 0:
            self.scale *= 2
            self._forgiven_left = self._config.hysteresis - 1
        self._good_steps += 1

    def state(self) -> dict[str, float | int]:
        return {
            "scale": self.scale,
            "forgiven_left": self._forgiven_left,
            "good_steps": self._good_steps,
        }

    def load(self, state: dict[str, float | int]) -> None:
        """Goes on where `state()` was taken; a static scale stays the configured one."""
        if self.dynamic:
            self.scale = float(state["scale"])
            self._forgiven_left = int(state["forgiven_left"])
            self._good_steps = int(state["good_steps"])
