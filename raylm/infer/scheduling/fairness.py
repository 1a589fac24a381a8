"""How much each user was served, in tokens, so that the next turn is the least one's.

The counters are those of the Virtual Token Counter (Sheng et al., "Fairness in Serving Large
Language Models", OSDI 2024): prompt tokens to compute when a request is let in, then one for each
token drawn.
"""

from collections.abc import Collection

_MOST_REMEMBERED = 1024


class Service:
    """Two users whose requests wait all the time differ by no more than what the requests that
    run together can draw: the one ahead is not let in again before the other has caught up.

    `floor` is where the last one let in stood. It rises with every admission and newcomers start
    from it, so that one who waits is the least at last, however many new users come.
    """

    def __init__(self) -> None:
        self._tokens: dict[str, int] = {}
        self._floor = 0

    def tokens(self, user: str) -> int:
        return self._tokens.get(user, self._floor)

    def lift(self, user: str, others: Collection[str]) -> None:
        """A user who had nothing waiting comes back, level with the least of the others: idling
        saves nothing up."""
        least = max(self._floor, min(map(self.tokens, others), default=0))
        self._tokens[user] = max(self.tokens(user), least)
        if len(self._tokens) > _MOST_REMEMBERED + len(others):
            self._forget({user, *others})

    def let_in(self, user: str, tokens: int) -> None:
        self.charge(user, tokens)
        self._floor = max(self._floor, self._tokens[user])

    def charge(self, user: str, tokens: int) -> None:
        self._tokens[user] = self.tokens(user) + tokens

    def _forget(self, present: Collection[str]) -> None:
        self._tokens = {
            user: tokens
            for user, tokens in self._tokens.items()
            if user in present or tokens > self._floor
        }
