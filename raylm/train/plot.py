"""A run as a picture: loss, rates, throughput, memory, and what happened to its workers."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raylm.core.errors import DataError, MissingDependencyError
from raylm.core.metrics import read_jsonl
from raylm.train.rundir import METRICS
from raylm.train.wish import EVENTS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Rows = list[dict[str, Any]]

INK, QUIET, GRID = "#1f2933", "#7b8794", "#e4e7eb"
BLUE, ORANGE, GREEN, RED, VIOLET = "#2f6fde", "#e8811a", "#1b9e77", "#d64545", "#7c5cbf"
_EVENT_COLOURS = {
    "worker_lost": RED,
    "worker_left": ORANGE,
    "worker_joined": GREEN,
    "straggler": ORANGE,
    "poisoned_samples": RED,
    "fell_back": RED,
    "recovered": VIOLET,
}
_SMOOTHED_PART = 0.015  # of the run, by which the bold lines may lag
_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": QUIET,
    "axes.titlecolor": INK,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "legend.frameon": False,
    "legend.fontsize": 8,
}


def plot_run(run_dir: Path | str, out: Path | str) -> Path:
    """Draw the run into `out` (its suffix is the format); raises DataError for no run."""
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingDependencyError(
            "drawing needs matplotlib; run: pip install 'raylm[train]'"
        ) from None
    run_dir, out = Path(run_dir), Path(out)
    rows, events = _read(run_dir)
    with rc_context(_STYLE):
        figure = Figure(figsize=(11, 7.5), dpi=130, layout="constrained")
        grid = figure.add_gridspec(3, 2, height_ratios=(1.35, 1, 1))
        loss = figure.add_subplot(grid[0, :])
        panels = [loss, *(figure.add_subplot(grid[r, c]) for r in (1, 2) for c in (0, 1))]
        for draw, axes in zip(_PANELS, panels, strict=True):
            draw(axes, rows)
            axes.set_xlim(rows[0]["step"] - 0.5, rows[-1]["step"] + 0.5)
            axes.locator_params(axis="x", integer=True)
            _mark_events(axes, rows, events, labelled=axes is loss)
        for axes in panels[-2:]:
            axes.set_xlabel("optimizer step")
        figure.suptitle(_headline(run_dir, rows), x=0.01, ha="left", fontsize=12, weight="bold")
        out.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(out)
    return out


def smoothed(values: list[float]) -> list[float]:
    """The exponential moving average over a small part of the run, started without bias."""
    keep = 1 - 1 / max(1.0, len(values) * _SMOOTHED_PART)
    average, weight, result = 0.0, 0.0, []
    for value in values:
        average = keep * average + (1 - keep) * value
        weight = keep * weight + (1 - keep)
        result.append(average / weight)
    return result


def step_at(rows: Rows, time: float) -> int:
    """The step that was finished last at a moment, 0 before the first."""
    return max((row["step"] for row in rows if row["t"] <= time), default=0)


def _read(run_dir: Path) -> tuple[Rows, Rows]:
    metrics, events = run_dir / METRICS, run_dir / EVENTS
    rows = read_jsonl(metrics) if metrics.is_file() else []
    if not rows:
        raise DataError(f"{run_dir}: nothing to draw, it has no steps in {METRICS}")
    return rows, read_jsonl(events) if events.is_file() else []


def _column(rows: Rows, name: str) -> tuple[list[int], list[float]]:
    """The steps that have a value for `name`, and the values."""
    found = [(row["step"], row[name]) for row in rows if row.get(name) is not None]
    return [step for step, _ in found], [value for _, value in found]


def _draw_loss(axes: "Axes", rows: Rows) -> None:
    steps, losses = _column(rows, "loss")
    axes.plot(steps, losses, color=BLUE, alpha=0.25, linewidth=0.8)
    axes.plot(steps, smoothed(losses), color=BLUE, linewidth=1.8, label="training")
    held_steps, held = _column(rows, "heldout_loss")
    axes.plot(held_steps, held, "o-", color=ORANGE, markersize=4, linewidth=1.2, label="held out")
    axes.set_title("Loss, nats per token")


def _draw_rates(axes: "Axes", rows: Rows) -> None:
    axes.plot(*_column(rows, "grad_norm"), color=VIOLET, linewidth=1.0, label="gradient norm")
    axes.set_ylim(bottom=0)
    axes.set_title("Gradient norm and learning rate")
    rate = axes.twinx()
    rate.plot(*_column(rows, "lr"), color=GREEN, linewidth=1.6, label="learning rate")
    rate.set_ylim(bottom=0)
    rate.grid(False)
    rate.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    lines = [*axes.get_lines(), *rate.get_lines()]
    axes.legend(lines, [str(line.get_label()) for line in lines], loc="upper right")


def _draw_throughput(axes: "Axes", rows: Rows) -> None:
    steps, speeds = _column(rows, "tokens_per_second")
    axes.plot(steps, speeds, color=BLUE, alpha=0.25, linewidth=0.8)
    axes.plot(steps, smoothed(speeds), color=BLUE, linewidth=1.6)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_title("Tokens per second")


def _draw_memory(axes: "Axes", rows: Rows) -> None:
    names = ("param_bytes", "grad_bytes", "optimizer_bytes")
    steps = [row["step"] for row in rows]
    parts = [[row[name] / 2**20 for row in rows] for name in names]
    labels = [name.removesuffix("_bytes") for name in names]
    axes.stackplot(steps, *parts, labels=labels, colors=(BLUE, VIOLET, GREEN), alpha=0.75)
    axes.plot(*_column([_in_mib(r) for r in rows], "peak"), color=INK, linewidth=1.2, label="peak")
    axes.set_ylim(bottom=0)
    axes.set_title("Memory of the largest rank, MiB")
    axes.legend(loc="center right")


def _in_mib(row: dict[str, Any]) -> dict[str, Any]:
    return {"step": row["step"], "peak": row["peak_bytes"] / 2**20}


def _draw_workers(axes: "Axes", rows: Rows) -> None:
    steps, workers = _column(rows, "world_size")
    axes.step(steps, workers, where="mid", color=INK, linewidth=1.6)
    axes.fill_between(steps, workers, step="mid", color=BLUE, alpha=0.15)
    axes.set_ylim(0, max(workers) + 1)
    axes.locator_params(axis="y", integer=True)
    axes.set_title("Workers")


_PANELS = (_draw_loss, _draw_rates, _draw_throughput, _draw_memory, _draw_workers)


def _mark_events(axes: "Axes", rows: Rows, events: Rows, *, labelled: bool) -> None:
    counts = Counter(event["event"] for event in events)
    marked: set[str] = set()
    for event in events:
        name = event["event"]
        if name == "checkpoint_saved" and labelled:
            axes.plot(event["step"], 0, marker=2, color=QUIET, transform=axes.get_xaxis_transform())
        if name in _EVENT_COLOURS:
            phase = 4 * list(_EVENT_COLOURS).index(name)  # so that two at one step are both seen
            line = axes.axvline(
                step_at(rows, event["t"]) + 0.5,
                color=_EVENT_COLOURS[name],
                linewidth=1,
                linestyle=(phase, (4, 5)),
            )
            if name not in marked:
                line.set_label(f"{name.replace('_', ' ')} ({counts[name]})")
                marked.add(name)
    if labelled:
        columns = 2 + len(marked)
        axes.legend(loc="upper right", ncols=columns, frameon=True, edgecolor="none", framealpha=1)


def _headline(run_dir: Path, rows: Rows) -> str:
    last = rows[-1]
    parts = [run_dir.resolve().name, f"step {last['step']:,}"]
    _, held = _column(rows, "heldout_loss")
    _, bits = _column(rows, "heldout_bits_per_byte")
    if held:
        parts.append(f"held-out {held[-1]:.3f} nats/token, {bits[-1]:.3f} bits/byte")
    if skipped := sum(row["skipped"] for row in rows):
        parts.append(f"{skipped} steps skipped")
    return "   ·   ".join(parts)
