"""How much of the communication hides behind the computation.

    python -m benchmarks.train.zero_overlap [--world 2] [--steps 4] [--layers 12] [--bucket-mib 4]

Collectives are made to last bytes / bandwidth by sleeping, which takes no processor; the
bandwidth is set so that a step's communication lasts as long as its computation. With perfect
overlap a step is then as long as either.

The forward pass is a third of the computation, and can hide nothing but the gathering of
parameters. That is a third of the traffic at stage 3, half of it at stages 1 and 2, whose step
can therefore not be shorter than 1/2 + 2/3 of the communication: 1.17. To this comes what has
nothing to hide behind: the first unit's gathering and the last one's reduction.
"""

import argparse
import statistics
import time

import torch
from torch import Tensor

import raylm
from benchmarks.train.llama import Llama, random_batch
from benchmarks.train.world import run_world
from raylm.collectives.buffer import Buffer
from raylm.collectives.choose import connect
from raylm.collectives.communicator import Communicator
from raylm.collectives.transport import Transport

BAR = 1.15
LIMIT = {1: 1 / 2 + 2 / 3, 2: 1 / 2 + 2 / 3, 3: 1.0}
BATCH, SEQUENCE, VOCAB = 4, 256, 1024


class SlowLink:
    """A transport whose data-carrying operations last at least bytes / bandwidth."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.bytes_per_s = float("inf")
        self.busy_s = 0.0

    def __getattr__(self, name: str) -> object:
        return getattr(self._transport, name)

    def reduce_scatter(self, source: Buffer, out: Tensor, accumulate: bool, label: str) -> None:
        began = time.perf_counter()
        self._transport.reduce_scatter(source, out, accumulate, label)
        self._last(out.nbytes * (self._transport.world_size - 1), began)

    def all_gather(self, source: Buffer, out: Tensor, is_fenced: bool, label: str) -> None:
        began = time.perf_counter()
        self._transport.all_gather(source, out, is_fenced, label)
        self._last(source.local.nbytes * (self._transport.world_size - 1), began)

    def _last(self, size_bytes: int, began: float) -> None:
        wanted = size_bytes / self.bytes_per_s
        self.busy_s += wanted
        time.sleep(max(0.0, wanted - (time.perf_counter() - began)))


def measure(
    rank: int, stage: int, steps: int, layers: int, bucket_mib: float
) -> tuple[float, float, float]:
    """Seconds a step without and with the slow link, and of the link alone."""
    communicator: Communicator = connect(torch.device("cpu"))
    link = SlowLink(communicator.transport)
    communicator.transport = link  # type: ignore[assignment]
    config = {
        "batch": {"micro": BATCH},
        "precision": "fp32",
        "gradient_clipping": None,
        "zero": {"stage": stage, "bucket_bytes": int(bucket_mib * 2**20)},
    }
    model = Llama(layers=layers, vocab=VOCAB)
    engine = raylm.initialize(model, config, communicator=communicator)

    def run(number: int) -> float:
        tokens, targets = random_batch(0, number, rank, batch=BATCH, sequence=SEQUENCE, vocab=VOCAB)
        began = time.perf_counter()
        engine.backward(engine(tokens, targets))
        engine.step()
        return time.perf_counter() - began

    for number in range(2):
        run(number)
    engine.comm_report().reset()
    plain = statistics.median(run(number) for number in range(steps))
    sent = engine.comm_report().bytes_sent / steps
    agreed = torch.tensor(plain, dtype=torch.float64)
    communicator.all_reduce(agreed, "the step's time")
    link.bytes_per_s = sent / (agreed.item() / communicator.world_size)
    run(steps)
    link.busy_s = 0.0
    slow = statistics.median(run(number) for number in range(steps))
    busy = link.busy_s / steps
    engine.close()
    return plain, slow, busy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--world", type=int, default=2)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--bucket-mib", type=float, default=4)
    args, _ = parser.parse_known_args()
    for stage in (1, 2, 3):
        plain, slow, busy = run_world(
            args.world, measure, stage, args.steps, args.layers, args.bucket_mib
        )[0]
        ratio = slow / max(plain, busy)
        verdict = "pass" if ratio <= BAR else "miss"
        print(
            f"stage {stage}: computation {plain:.2f} s, communication {busy:.2f} s, together "
            f"{slow:.2f} s = {ratio:.2f} x the longer one ({verdict}; the bar is {BAR}, the "
            f"limit {LIMIT[stage]:.2f})",
            flush=True,
        )


if __name__ == "__main__":
    main()
