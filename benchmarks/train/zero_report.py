"""The table of a shape, whether the losses agree, and which bars are passed."""

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from benchmarks.train.agreement import agreements
from benchmarks.train.ranks import Workload
from benchmarks.train.standing import Standing
from benchmarks.train.zero_bars import BARS, TRAFFIC_BARS

COLUMNS = (
    "CPU s",
    "/single",
    "wall s",
    "/pair",
    "/ds3strict",
    "sent",
    "counted",
    "RSS MB",
    "-imports",
)
CAPTION = (
    "times for each step and rank; bytes for each rank and step in units of all parameters' bytes: "
    "sent over loopback, and counted by the library (RayLM shares memory but in rows of sockets)"
)
UNDISTURBED_CORES = 0.1
TABLE_WIDTH = 110


def report(
    console: Console,
    shape: str,
    workload: Workload,
    standings: Mapping[str, Standing],
    failures: Mapping[str, str],
) -> None:
    console.print(_table(shape, workload, standings, failures), soft_wrap=False)
    for line in (*_losses(workload.precision, standings), *_bars(shape, standings, workload.world)):
        console.print(line)
    busiest = max((row.foreign_cores for row in standings.values()), default=0.0)
    if busiest > UNDISTURBED_CORES:
        console.print(f"DISTURBED: other programs used up to {busiest:.1f} cores, repeat it alone")


def _table(
    shape: str,
    workload: Workload,
    standings: Mapping[str, Standing],
    failures: Mapping[str, str],
) -> Table:
    size = f"batch {workload.batch} x {workload.sequence}"
    title = f"{shape}: world {workload.world}, {size}, {workload.precision}"
    table = Table("mode", title=title, caption=CAPTION)
    for column in COLUMNS:
        table.add_column(column, justify="right", no_wrap=True)
    for mode, row in standings.items():
        table.add_row(
            mode,
            f"{row.cpu_s:.3f}",
            _ratio(row, standings.get("single"), "cpu_s"),
            f"{row.wall_s:.3f}",
            _ratio(row, standings.get("pair"), "wall_s"),
            _ratio(row, standings.get("deepspeed3strict"), "wall_s"),
            f"{row.loopback_psi:.2f}",
            "" if row.counted_psi is None else f"{row.counted_psi:.3f}",
            f"{row.peak_rss_bytes / 1e6:.0f}",
            f"{row.rss_over_imports_bytes / 1e6:.0f}",
        )
    for mode in failures:
        table.add_row(mode, "failed")
    return table


def _ratio(row: Standing, peer: Standing | None, quantity: str) -> str:
    return "" if peer is None else f"{getattr(row, quantity) / getattr(peer, quantity):.2f}"


def _losses(precision: str, standings: Mapping[str, Standing]) -> list[str]:
    if precision == "fp32":
        return [str(agreement) for agreement in agreements(standings)]
    arithmetic = [f"{mode}: {row.arithmetic}" for mode, row in standings.items()]
    return [f"the arithmetic differs in {precision}, so losses need not agree", *arithmetic]


def _bars(shape: str, standings: Mapping[str, Standing], world: int) -> list[str]:
    lines = []
    for bar in BARS:
        if bar.shape == shape:
            ratio = bar.ratio(standings)
            found = "" if ratio is None else f": {ratio:.3f}"
            lines.append(f"{bar.verdict(standings):<12} {bar}{found}")
    return [*lines, *(bar.line(standings, world) for bar in TRAFFIC_BARS)]
