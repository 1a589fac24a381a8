"""One sequence's life in the engine: queued, running, perhaps preempted, finished."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from raylm.core.sampling import FinishReason, SamplingParams
from raylm.core.seeding import derive_seed

PLACEHOLDER = -1  # a token that a step in flight draws: it has a place, its id comes later


class RequestState(Enum):
    WAITING = auto()  # queued; holds no blocks
    RUNNING = auto()  # holds blocks; part of every step
    PREEMPTED = auto()  # gave its blocks up; queued again, its tokens kept
    FINISHED = auto()


LEGAL_TRANSITIONS: dict[RequestState, frozenset[RequestState]] = {
    RequestState.WAITING: frozenset({RequestState.RUNNING, RequestState.FINISHED}),
    RequestState.RUNNING: frozenset({RequestState.PREEMPTED, RequestState.FINISHED}),
    RequestState.PREEMPTED: frozenset({RequestState.RUNNING, RequestState.FINISHED}),
    RequestState.FINISHED: frozenset(),
}


@dataclass(slots=True, eq=False)
class Request:
    """`token_ids` is prompt and output in one list; the cache holds its first `computed_length`.

    Choices of one call (`n > 1`) share an `id`. A greater `priority` goes first.
    """

    id: str
    token_ids: list[int]
    prompt_length: int
    max_length: int
    params: SamplingParams
    seed: int
    stop_ids: frozenset[int] = frozenset()
    index: int = 0
    user: str = ""
    priority: int = 0
    arrival: int = 0
    seniority: int | None = None  # the place in the order of first admissions
    pooled: bool = False  # its prompt is wanted as a vector, and no answer
    on_turn: bool = False  # let in because its priority had waited long enough
    blocks: list[int] = field(default_factory=list)
    guesses: list[int] = field(default_factory=list)  # of its next tokens, for one step
    computed_length: int = 0
    cached_length: int = 0
    finish_reason: FinishReason | None = None
    _state: RequestState = RequestState.WAITING

    @property
    def state(self) -> RequestState:
        return self._state

    @state.setter
    def state(self, new: RequestState) -> None:
        if new not in LEGAL_TRANSITIONS[self._state]:
            raise ValueError(f"request {self.id}: {self._state.name} cannot become {new.name}")
        self._state = new

    @property
    def prompt_ids(self) -> list[int]:
        return self.token_ids[: self.prompt_length]

    @property
    def output_ids(self) -> list[int]:
        return self.token_ids[self.prompt_length :]

    @property
    def output_length(self) -> int:
        return len(self.token_ids) - self.prompt_length

    @property
    def remaining_length(self) -> int:
        """Tokens the model has not seen: 1 while decoding, more during prefill."""
        return len(self.token_ids) - self.computed_length

    @property
    def known_length(self) -> int:
        """Tokens whose ids are known: all before the placeholders at the end."""
        length = len(self.token_ids)
        while length and self.token_ids[length - 1] == PLACEHOLDER:
            length -= 1
        return length

    @property
    def is_complete(self) -> bool:
        """Its last token is drawn, perhaps not known yet: nothing is left to compute."""
        return len(self.token_ids) >= self.max_length

    @property
    def standing(self) -> tuple[bool, int]:
        """The less, the higher; who has a higher one may take the place of who runs."""
        return (not self.on_turn, -self.priority)

    @property
    def rank(self) -> tuple[bool, int, int]:
        """Orders those who run: the highest gets tokens and blocks first and keeps them longest."""
        assert self.seniority is not None
        return (*self.standing, self.seniority)

    def reason_to_finish(self, place: int) -> FinishReason | None:
        """Of the token at `place`, as if it were the last."""
        if self.token_ids[place] in self.stop_ids:
            return FinishReason.STOP
        if place + 1 >= self.max_length:
            return FinishReason.LENGTH
        return None


@dataclass(frozen=True, slots=True)
class Continued:
    """A request as it will be if some guesses of its next tokens hold."""

    request: Request
    guesses: tuple[int, ...]

    @property
    def params(self) -> SamplingParams:
        return self.request.params

    @property
    def seed(self) -> int:
        return self.request.seed

    @property
    def token_ids(self) -> list[int]:
        return [*self.request.token_ids, *self.guesses]

    @property
    def output_ids(self) -> list[int]:
        return [*self.request.output_ids, *self.guesses]

    @property
    def output_length(self) -> int:
        return self.request.output_length + len(self.guesses)


def requests_for(
    request_id: str,
    prompt_ids: Sequence[int],
    params: SamplingParams,
    *,
    eos_ids: frozenset[int],
    max_model_len: int,
    user: str = "",
    priority: int = 0,
) -> list[Request]:
    """The `params.n` sequences of one call. Choice 0 of n draws what n=1 would draw."""
    seed = secrets.randbits(63) if params.seed is None else params.seed
    prompt_length = len(prompt_ids)
    longest = max_model_len if params.max_tokens is None else prompt_length + params.max_tokens
    first = Request(
        id=request_id,
        token_ids=list(prompt_ids),
        prompt_length=prompt_length,
        max_length=min(longest, max_model_len),
        params=params,
        seed=seed,
        stop_ids=frozenset(params.stop_token_ids) | (frozenset() if params.ignore_eos else eos_ids),
        user=user,
        priority=priority,
    )
    others = [
        replace(
            first,
            token_ids=list(prompt_ids),
            blocks=[],
            seed=derive_seed(seed, "choice", index),
            index=index,
        )
        for index in range(1, params.n)
    ]
    return [first, *others]
