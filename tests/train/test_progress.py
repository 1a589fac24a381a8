import io

from rich.console import Console

from raylm.train.progress import TrainingProgress
from raylm.train.update import Update


def update(step, **changes):
    fields = dict.fromkeys(Update.__dataclass_fields__, 0) | {
        "step": step,
        "loss": 2.5,
        "lr": 1e-3,
        "tokens_per_second": 12345.6,
        "heldout_loss": None,
        "heldout_bits_per_byte": None,
    }
    return Update(**(fields | changes))


def lines(updates, *, terminal=False):
    console = Console(file=io.StringIO(), force_terminal=terminal, width=100)
    with TrainingProgress(10, console=console) as progress:
        progress.note("run runs/[x] on 2 workers")
        for each in updates:
            progress.update(each)
    return console.file.getvalue()


def test_plain_lines_come_at_evaluations_and_not_at_every_step():
    text = lines([update(1), update(2), update(3, heldout_loss=2.0, heldout_bits_per_byte=1.5)])
    assert text.splitlines() == [
        "run runs/[x] on 2 workers",
        "step 1/10  loss 2.500  lr 1.00e-03  12,346 tokens/s",
        "step 3/10  loss 2.500  lr 1.00e-03  12,346 tokens/s"
        "  held-out 2.000 nats/token, 1.500 bits/byte",
    ]


def test_a_skipped_step_always_shows():
    assert "step 2/10  loss nan" in lines([update(1), update(2, loss=float("nan"), skipped=1)])


def test_a_terminal_gets_a_bar():
    text = lines([update(1), update(10)], terminal=True)
    assert "10/10" in text
    assert "━" in text
    assert "\x1b[" in text
