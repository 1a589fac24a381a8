"""What the engine has to reach beside its peers, as ratios of figures taken in the same round."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Self

from benchmarks.infer.peer_dtype import fast_dtype

Figures = Mapping[str, list[float]]  # name -> one of each round


@dataclass(frozen=True)
class Row:
    """`ours` is at least (`at_most`: at most) `bar` times the best of `peers`; names of figures.
    `always`: in every round, not in the median."""

    what: str
    ours: str
    peers: tuple[str, ...]
    bar: float
    unit: str = "tokens/s"
    at_most: bool = False
    always: bool = False


@dataclass(frozen=True)
class Finding:
    """Medians of the rounds, but for the ratios, of which there is one a round."""

    row: Row
    ours: float
    peer: str
    theirs: float
    ratios: tuple[float, ...]

    @classmethod
    def of(cls, row: Row, figures: Figures) -> Self | None:
        """None where our figure or those of all its peers were not taken."""
        peers = {name: figures[name] for name in row.peers if figures.get(name)}
        if not figures.get(row.ours) or not peers:
            return None
        best = min if row.at_most else max
        peer = best(peers, key=lambda name: median(peers[name]))
        ratios = zip(figures[row.ours], *peers.values(), strict=True)
        return cls(
            row=row,
            ours=median(figures[row.ours]),
            peer=peer,
            theirs=median(peers[peer]),
            ratios=tuple(own / best(others) for own, *others in ratios),
        )

    @property
    def ratio(self) -> float:
        if not self.row.always:
            return median(self.ratios)
        return max(self.ratios) if self.row.at_most else min(self.ratios)

    @property
    def met(self) -> bool:
        return self.ratio <= self.row.bar if self.row.at_most else self.ratio >= self.row.bar


def findings(figures: Figures) -> list[Finding]:
    return [found for row in ROWS if (found := Finding.of(row, figures)) is not None]


def left_out(figures: Figures) -> Iterable[Row]:
    return (row for row in ROWS if Finding.of(row, figures) is None)


INT4, INT8, INT4_PAIR = "raylm int4", "raylm int8", "raylm int4, 2 threads"
INT4_HEAD = "raylm int4, int4 head"
Q4_0, Q8_0 = "llama.cpp Q4_0", "llama.cpp Q8_0"
TRANSFORMERS, VLLM = (f"{peer} {fast_dtype()}" for peer in ("transformers", "vLLM"))

ROWS = (
    Row("decode, batch 1, int4", f"{INT4} decode 1", (f"{Q4_0} decode 1",), 2.5),
    Row("decode, batch 1, int4", f"{INT4} decode 1", (f"{TRANSFORMERS} decode 1",), 10.0),
    Row("decode, int4 with int4 head", f"{INT4_HEAD} decode 1", (f"{Q4_0} decode 1",), 2.9),
    Row("decode, batch 1, int8", f"{INT8} decode 1", (f"{Q8_0} decode 1",), 2.0),
    Row("decode, batch 8, int4", f"{INT4} decode 8", (f"{Q4_0} decode 8", f"{VLLM} decode 8"), 3.0),
    Row(
        "prefill, int4",
        f"{INT4} prefill",
        (f"{Q4_0} prefill", f"{TRANSFORMERS} prefill", f"{VLLM} prefill"),
        1.6,
    ),
    Row("C++ loop of the bandwidth bound, int4", f"{INT4} bare", (f"{INT4} bound",), 0.80),
    Row("C++ loop of the bandwidth bound, int8", f"{INT8} bare", (f"{INT8} bound",), 0.88),
    Row("engine in Python of the C++ loop, int4", f"{INT4} engine", (f"{INT4} bare",), 0.93),
    Row("engine in Python of the C++ loop, int8", f"{INT8} engine", (f"{INT8} bare",), 0.93),
    Row("two threads, int4", f"{INT4_PAIR} decode 1 (wall)", (f"{INT4} decode 1 (wall)",), 1.15),
    Row(
        "two threads, cores busy, int4",
        f"{INT4_PAIR} busy (wall)",
        (f"{INT4} busy (wall)",),
        0.5,
        always=True,
    ),
    Row(
        "requests that share a prefix, int4",
        f"{INT4} shared prefix",
        (f"{VLLM} shared prefix",),
        0.4,
        unit="s",
        at_most=True,
    ),
    Row(
        "perplexity, int4",
        f"{INT4} perplexity",
        (f"{Q4_0} perplexity",),
        1.01,
        unit="",
        at_most=True,
    ),
    Row(
        "perplexity, int4 with int4 head",
        f"{INT4_HEAD} perplexity",
        (f"{Q4_0} perplexity",),
        1.01,
        unit="",
        at_most=True,
    ),
)
