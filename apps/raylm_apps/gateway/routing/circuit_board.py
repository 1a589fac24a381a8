"""Every model's circuit, shared in Redis by the gateway's processes.

Each tells Redis of failures, and reads twice a second what is open. While it is away, each knows
its own.
"""

import asyncio
import time
from collections.abc import Callable

from raylm.core.wire.failure import Failure
from raylm_apps.gateway.redis_client import UNAVAILABLE
from raylm_apps.gateway.routing.circuit import COUNTED, PROBE_S, WINDOW_S, Circuit, State, Tolerance
from raylm_apps.gateway.routing.circuit_store import CLAIM, CLOSE, RELEASE, TELL, CircuitStore, News

READ_EVERY_S = 0.5
MOST_UNTOLD = 10_000


class CircuitBoard:
    """`on_change` is told of each model whose circuit opens or closes."""

    def __init__(
        self,
        redis_url: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        on_change: Callable[[str, bool], None] = lambda model, is_open: None,
    ) -> None:
        self._store = CircuitStore(redis_url)
        self._clock = clock
        self._on_change = on_change
        self._circuits: dict[str, Circuit] = {}
        self._untold: list[News] = []
        self._wake = asyncio.Event()

    def state(self, model: str) -> State:
        return self._circuit(model).state(self._clock())

    def may_ask(self, model: str) -> bool:
        return model not in self._circuits or self._circuit(model).may_ask(self._clock())

    def open_for_s(self, model: str) -> float:
        """Seconds until one may ask again."""
        return max((self._circuit(model).open_until or 0.0) - self._clock(), 0.0)

    async def admit(self, model: str) -> bool:
        """Whether this request may ask; of a half-open circuit it is then the one probe."""
        if self.state(model) is State.CLOSED:
            return True
        if not self.may_ask(model):
            return False
        self._circuits[model] = self._circuit(model).probed(self._clock())
        if not self._store.is_up:
            return True
        try:
            is_mine = await self._store.tell(News(model, CLAIM, (_ms(PROBE_S),)))
            if not is_mine:  # another process's; it may come back without news
                self._set(model, self._circuit(model).released())
            return is_mine
        except UNAVAILABLE as error:
            self._store.note_outage(error)
            return True
        except BaseException:
            self.released(model)
            raise

    def failed(
        self,
        model: str,
        failure: Failure,
        tolerance: Tolerance,
        retry_after_s: float | None = None,
    ) -> None:
        if failure not in COUNTED:
            self.succeeded(model)  # whatever it has refused, it is there
            return
        now, before = self._clock(), self._circuit(model)
        after = before.failed(now, tolerance, retry_after_s)
        self._set(model, after)
        opened_for_s = (after.open_until or now) - now if after != before else 0.0
        if before.state(now) is not State.OPEN or opened_for_s:
            allowed, cooldown_s = tolerance.allowed_fails, tolerance.cooldown_s
            more = (_ms(opened_for_s), allowed, _ms(WINDOW_S), _ms(cooldown_s))
            self._tell(News(model, TELL, more))

    def succeeded(self, model: str) -> None:
        before = self._circuit(model)
        after = before.succeeded(self._clock())
        if after is not before:
            self._set(model, after)
            self._tell(News(model, CLOSE))

    def released(self, model: str) -> None:
        """Whoever was admitted has gone without news."""
        if self.state(model) is State.HALF_OPEN:
            self._set(model, self._circuit(model).released())
            self._tell(News(model, RELEASE))

    async def run(self) -> None:
        """Tell, then read; soon after there is news, else twice a second."""
        while True:
            try:
                async with asyncio.timeout(READ_EVERY_S):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            if self._store.is_up:
                await self._exchange()
            else:
                await asyncio.sleep(READ_EVERY_S)

    async def close(self) -> None:
        await self._store.close()

    async def _exchange(self) -> None:
        try:
            while self._untold:
                await self._store.tell(self._untold[0])
                del self._untold[0]
            left_ms = await self._store.left_ms()
        except UNAVAILABLE as error:
            self._store.note_outage(error)
            return
        self._merge(left_ms)

    def _merge(self, left_ms: dict[str, int]) -> None:
        """What Redis says counts, but for models of which it has not heard the newest."""
        now = self._clock()
        unheard = {news.model for news in self._untold}
        for model in left_ms.keys() - unheard:
            until, known = now + left_ms[model] / 1000, self._circuit(model).open_until
            if known is None or abs(known - until) > READ_EVERY_S:
                self._set(model, Circuit(open_until=until))
        for model in self._circuits.keys() - left_ms.keys() - unheard:
            if self._circuits[model].open_until is not None:
                self._set(model, Circuit())  # somebody's probe has succeeded

    def _circuit(self, model: str) -> Circuit:
        return self._circuits.get(model, _CLOSED)

    def _set(self, model: str, circuit: Circuit) -> None:
        was_open = self._circuit(model).open_until is not None
        self._circuits[model] = circuit
        if circuit == _CLOSED:
            del self._circuits[model]
        is_open = circuit.open_until is not None
        if is_open != was_open:
            self._on_change(model, is_open)

    def _tell(self, news: News) -> None:
        self._untold = [*self._untold, news][-MOST_UNTOLD:]
        self._wake.set()


_CLOSED = Circuit()


def _ms(seconds: float) -> int:
    return round(1000 * seconds)
