"""Every kernel in Triton on this GPU, with every case, in processes that compile beside each other,
for most of what `pytest tests/kernels/test_implementations.py` does there is waiting for compilers.

    PYTHONPATH=.:kernels python3 -m tests.kernels.on_gpu [--only attention] [--seconds 120]
"""

import argparse
import itertools
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import TimeoutError as NotInTime
from multiprocessing import get_context

import torch

from raylm_kernels import catalog, testing
from raylm_kernels.implementation import REFERENCE
from tests.kernels.test_implementations import judge_case

DTYPES = (torch.bfloat16, torch.float16, torch.float32)
MOST_TOLD = 400  # characters of a fault


@dataclass(frozen=True)
class Case:
    op: str
    name: str
    dtype: torch.dtype
    place: int

    def __str__(self) -> str:
        return f"{self.op} {self.name} {self.dtype} case {self.place}"


def cases(only: str) -> list[Case]:
    """Those that take longest to compile first."""
    found = [
        Case(op, name, dtype, place)
        for op in catalog.registry.ops()
        for name, one in catalog.registry.entry(op).implementations.items()
        if one.device == "cuda" and only in op
        for place in range(len(testing.cases(op)))
        for dtype in DTYPES
    ]
    return sorted(found, key=lambda case: ("attention" not in case.op, "backward" not in case.op))


def judge(case: Case) -> tuple[Case, str]:
    """`right`, `not taken`, or what is wrong."""
    entry = catalog.registry.entry(case.op)
    one, reference = entry.implementations[case.name], entry.implementations[REFERENCE]
    try:
        copies = [testing.cases(case.op, "cuda", case.dtype)[case.place] for _ in range(3)]
        is_taken = judge_case(entry, one, reference, *copies, case.dtype)
        torch.cuda.synchronize()
    except Exception as error:
        return case, f"{type(error).__name__}: {error}"[:MOST_TOLD]
    return case, "right" if is_taken else "not taken"


def judged(waiting: list[Case], seconds: float) -> Iterator[tuple[Case, str]]:
    """As they are done, until the time is up."""
    end = time.monotonic() + seconds
    with get_context("spawn").Pool(os.cpu_count()) as pool:
        results = pool.imap_unordered(judge, waiting)
        for _ in waiting:
            try:
                yield results.next(timeout=max(0.0, end - time.monotonic()))
            except NotInTime:
                return


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="ops whose names contain this")
    parser.add_argument("--seconds", type=float, default=600.0, help="stop after so many")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("no GPU; without one: pytest tests/kernels/test_implementations.py")
    waiting, verdicts = cases(options.only), Counter[str]()
    taken = dict.fromkeys(((case.op, case.name) for case in waiting), False)
    for case, verdict in judged(waiting, options.seconds):
        is_known = verdict in ("right", "not taken")
        verdicts[verdict if is_known else "wrong"] += 1
        taken[case.op, case.name] |= verdict != "not taken"
        if not is_known:
            print(f"{case}: {verdict}", flush=True)
    for op, name in itertools.compress(taken, (not found for found in taken.values())):
        print(f"{op} {name}: no case was judged")
    left = len(waiting) - verdicts.total()
    print(", ".join(f"{count} {verdict}" for verdict, count in verdicts.items()), f"{left} left")
    sys.exit(1 if verdicts["wrong"] or left else 0)


if __name__ == "__main__":
    main()
