"""How many tokens to guess, from what guessing has cost and brought so far.

A step of n tokens takes a + b n seconds. A request whose guesses hold with probability p gains
1 + p + ... + p^k tokens from k guesses; k is chosen to gain most per second, and is 0 where that
is best. What is off is tried again now and then.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from raylm.infer.scheduling.request import Request
from raylm.infer.scheduling.scheduler import Plan
from raylm.infer.speculation.drafter import Drafter

_FORGETTING = 0.95  # weight of a step against the next
_RETRY_TOKENS = 64
_HOPE = 0.5  # of a guess to hold, before any was made
_PRIOR_SHARE = 0.3  # what a token more adds to a step of one, before any step was timed


@dataclass(slots=True)
class StepCost:
    """Least squares over recent steps, of their seconds on their tokens."""

    weight: float = 0.0
    tokens: float = 0.0
    seconds: float = 0.0
    tokens_squared: float = 0.0
    product: float = 0.0

    def observe(self, tokens: int, seconds: float) -> None:
        self.weight = self.weight * _FORGETTING + 1.0
        self.tokens = self.tokens * _FORGETTING + tokens
        self.seconds = self.seconds * _FORGETTING + seconds
        self.tokens_squared = self.tokens_squared * _FORGETTING + tokens * tokens
        self.product = self.product * _FORGETTING + tokens * seconds

    def line(self) -> tuple[float, float]:
        """(a, b), in seconds or, before any step was timed, in any unit; neither is negative."""
        if not self.weight:
            return 1.0 - _PRIOR_SHARE, _PRIOR_SHARE
        mean_tokens, mean_seconds = self.tokens / self.weight, self.seconds / self.weight
        spread = self.tokens_squared / self.weight - mean_tokens**2
        if spread < 0.05:  # all steps alike tell nothing of a larger one
            slope = _PRIOR_SHARE * mean_seconds / (1 + _PRIOR_SHARE * (mean_tokens - 1))
        else:
            slope = (self.product / self.weight - mean_tokens * mean_seconds) / spread
        slope = min(max(slope, 0.0), mean_seconds / mean_tokens)
        return mean_seconds - slope * mean_tokens, slope


@dataclass(slots=True)
class Hopes:
    """How often the guesses for one request have held, recent ones more."""

    held: float = _HOPE
    made: float = 1.0
    tokens_since: int = 0

    @property
    def probability(self) -> float:
        return self.held / self.made

    def observe(self, drafted: int, accepted: int) -> None:
        """A guess after the first that fails was not tested."""
        tested = min(accepted + 1, drafted)
        self.tokens_since = 0 if drafted else self.tokens_since + 1
        fade = _FORGETTING**tested
        self.held = self.held * fade + accepted
        self.made = self.made * fade + tested


def best_length(probability: float, base: float, extra: float, most: int) -> int:
    """Guesses that gain most tokens a second, where a step without any costs this request `base`
    seconds and each guess `extra` more."""
    best, best_rate, gained = 0, 1.0 / base, 1.0
    for length in range(1, most + 1):
        gained += probability**length
        rate = gained / (base + extra * length)
        if rate > best_rate:
            best, best_rate = length, rate
    return best


@dataclass(slots=True)
class Speculation:
    """`most` guesses a step at most."""

    most: int
    cost: StepCost = field(default_factory=StepCost)
    drafted: int = 0
    accepted: int = 0

    def length(self, hopes: Hopes, running: int) -> int:
        """Guesses for a request among `running` that decode together."""
        a, b = self.cost.line()
        length = best_length(hopes.probability, a / running + b, b, self.most)
        if length == 0 and hopes.tokens_since >= _RETRY_TOKENS:
            return 1
        return length

    def observe(self, hopes: Hopes, drafted: int, accepted: int) -> None:
        self.drafted += drafted
        self.accepted += accepted
        hopes.observe(drafted, accepted)


class Speculator:
    """Guesses for those who decode, and what has become of them."""

    def __init__(self, drafter: Drafter, most: int) -> None:
        self.policy = Speculation(most)
        self._drafter = drafter
        self._hopes: dict[Request, Hopes] = {}

    def guess(self, running: Sequence[Request]) -> None:
        """Sets the guesses of each that decodes."""
        decoding = [r for r in running if r.remaining_length == 1 and not r.pooled]
        wanted = {}
        for request in decoding:
            hopes = self._hopes.setdefault(request, Hopes())
            room = request.max_length - len(request.token_ids) - 1  # the last is not guessed
            length = min(self.policy.length(hopes, len(decoding)), room)
            if length > 0:
                wanted[request] = length
        found = self._drafter.propose(wanted)
        for request in decoding:
            request.guesses = found.get(request, [])

    def learn(self, request: Request, guessed: int, held: int) -> None:
        if hopes := self._hopes.get(request):
            self.policy.observe(hopes, guessed, held)

    def time(self, plan: Plan, seconds: float) -> None:
        """Of a step; one that also reads prompts tells nothing of guesses."""
        if plan.chunks and all(chunk.samples and chunk.length == 1 for chunk in plan.chunks):
            self.policy.cost.observe(plan.num_tokens, seconds)

    def forget(self, request: Request) -> None:
        request.guesses = []
        self._hopes.pop(request, None)
        self._drafter.forget(request)
