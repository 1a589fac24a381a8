"""An interpolated token trigram: what a language model must beat to have learnt anything.

p(c | a, b) = w3 n(abc)/n(ab) + w2 n(bc)/n(b) + w1 n(c)/n + w0 / V (Jelinek and Mercer, 1980).
The counts are of the training tokens; the weights are fitted by EM on a slice of them that
is left out of the counts while fitting.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Tokens = npt.NDArray[np.int64]
_ROUNDS = 50
_SLICE = 0.1


@dataclass(frozen=True)
class NgramCounts:
    """How often each n-gram occurs, and each of the histories it follows."""

    keys: Tokens
    counts: Tokens
    history_keys: Tokens
    history_counts: Tokens

    @classmethod
    def of(cls, tokens: Tokens, order: int, vocab_size: int) -> Self:
        keys, counts = np.unique(_keys(tokens, order, vocab_size), return_counts=True)
        histories = _keys(tokens[:-1], order - 1, vocab_size)
        return cls(keys, counts, *np.unique(histories, return_counts=True))

    def probabilities(self, ngrams: Tokens, histories: Tokens) -> npt.NDArray[np.float64]:
        """n(history, token) / n(history), and 0 for a history never seen."""
        seen = _lookup(self.keys, self.counts, ngrams)
        return seen / np.maximum(_lookup(self.history_keys, self.history_counts, histories), 1)


@dataclass(frozen=True)
class Trigram:
    vocab_size: int
    orders: tuple[NgramCounts, NgramCounts, NgramCounts]
    weights: npt.NDArray[np.float64]

    @classmethod
    def fit(cls, tokens: npt.NDArray[np.integer], vocab_size: int) -> Self:
        tokens = np.asarray(tokens, np.int64)
        cut = len(tokens) - int(len(tokens) * _SLICE)
        draft = cls(vocab_size, _count(tokens[:cut], vocab_size), np.full(4, 0.25))
        parts = draft.parts(tokens[cut:])
        weights = draft.weights
        for _ in range(_ROUNDS):
            shares = parts * weights
            weights = (shares / shares.sum(1, keepdims=True)).mean(0)
        return cls(vocab_size, _count(tokens, vocab_size), weights)

    def loss(self, tokens: npt.NDArray[np.integer]) -> float:
        """Nats per token, of every token from the third on."""
        mixture = self.parts(np.asarray(tokens, np.int64)) @ self.weights
        return float(-np.log(mixture).mean())

    def parts(self, tokens: Tokens) -> npt.NDArray[np.float64]:
        """The uniform, unigram, bigram and trigram probability of each token from the third on."""
        columns = [np.full(len(tokens) - 2, 1 / self.vocab_size)]
        for order, counts in enumerate(self.orders, 1):
            ngrams = _keys(tokens[3 - order :], order, self.vocab_size)
            histories = _keys(tokens[3 - order : -1], order - 1, self.vocab_size)
            columns.append(counts.probabilities(ngrams, histories))
        return np.stack(columns, 1)


def _count(tokens: Tokens, vocab_size: int) -> tuple[NgramCounts, NgramCounts, NgramCounts]:
    one, two, three = (NgramCounts.of(tokens, order, vocab_size) for order in (1, 2, 3))
    return one, two, three


def _keys(tokens: Tokens, order: int, vocab_size: int) -> Tokens:
    """One integer for each run of `order` tokens; order 0 is the empty history before each."""
    keys = np.zeros(len(tokens) - max(order - 1, 0) + (order == 0), np.int64)
    for place in range(order):
        keys = keys * vocab_size + tokens[place : place + len(keys)]
    return keys


def _lookup(keys: Tokens, counts: Tokens, wanted: Tokens) -> Tokens:
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[places] == wanted, counts[places], 0)
