"""Every op on this GPU, as a part of what the GPU can do and beside its rivals.

    python3 -m benchmarks.gpu --list
    PYTHONPATH=.:kernels python3 -m benchmarks.gpu --output results.json
    python3 -m benchmarks.gpu --only swiglu --resources

The rate of a copy and of a bf16 product are measured first. All kernels are compiled on all cores
before the first is timed. Rows that `--output` holds already are not measured again.
"""

import argparse
import datetime
import importlib.metadata
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu.compiling import compile_all, compile_what_can_be
from benchmarks.gpu.row import Row, name_of
from benchmarks.gpu.table import ROWS

RECORDED = Path(__file__).parents[1] / "results/gpu_resources-sm_90.json"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--list", action="store_true", help="the rows and their bars")
    parser.add_argument("--only", nargs="+", metavar="OP", help="rows of these ops alone")
    parser.add_argument("--output", type=Path, help="where results are kept, row by row")
    parser.add_argument(
        "--resources", action="store_true", help=f"compile for sm_90 alone, into {RECORDED.name}"
    )
    given = parser.parse_args()
    rows = chosen(given.only)
    if given.list:
        for row in rows:
            print(f"{row.name:72} {row.bars()}")
    elif given.resources:
        record_resources(rows)
    elif not torch.cuda.is_available():
        sys.exit("no GPU: --list and --resources need none")
    else:
        measure_all(rows, given.output)


def chosen(ops: Sequence[str] | None) -> list[Row]:
    """All where none is named. Exits where there is no row of a name."""
    known = {row.op for row in ROWS}
    if unknown := set(ops or ()) - known:
        sys.exit(f"no row of {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
    return [row for row in ROWS if not ops or row.op in ops]


def record_resources(rows: Sequence[Row]) -> None:
    """Those of the rows, beside the others that are recorded."""
    version = importlib.metadata.version("triton")
    kept = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
    found = kept.get("rows", {}) if kept.get("triton") == version else {}
    for name, kernels in compile_all([row.name for row in rows], 90):
        found[name] = kernels
        told = [f"{k['registers']} registers, {k['spilled']} spilled" for k in kernels]
        print(f"{name:64} {'; '.join(told)}", flush=True)
    found = {row.name: found[row.name] for row in ROWS if row.name in found}
    RECORDED.write_text(json.dumps({"triton": version, "rows": found}, indent=1) + "\n")


def measure_all(rows: Sequence[Row], output: Path | None) -> None:
    from benchmarks.gpu.measure import ceilings, measured

    major, minor = torch.cuda.get_device_capability()
    kept: dict[str, Any] = _kept(output)
    waiting = [row for row in rows if row.name not in {_name(r) for r in kept["results"]}]
    compile_what_can_be([row.name for row in waiting], 10 * major + minor)
    best = ceilings()
    kept["copy_bytes_per_second"], kept["matmul_flops"] = best.copy, best.matmul
    print(f"copy {best.copy / 1e12:.2f} TB/s, matmul {best.matmul / 1e12:.0f} TFLOP/s", flush=True)
    for row in waiting:
        try:
            result = measured(row, best)
        except Exception as error:
            print(f"{row.name:64} FAILED {type(error).__name__}: {error}", flush=True)
            continue
        kept["results"].append(result.as_json())
        print(_told(row, result.as_json()), flush=True)
        if output:
            output.write_text(json.dumps(kept, indent=1) + "\n")
        torch.cuda.empty_cache()


def _kept(output: Path | None) -> dict[str, Any]:
    if output and output.exists():
        found: dict[str, Any] = json.loads(output.read_text())
        return found
    return {
        "benchmark": "gpu",
        "date": datetime.date.today().isoformat(),
        "device": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "results": [],
    }


def _name(result: dict[str, Any]) -> str:
    return name_of(result["op"], result["shape"], result.get("implementation", "triton"))


def _told(row: Row, result: dict[str, Any]) -> str:
    parts = [f"{result['microseconds']:9.1f} us"]
    parts += [f"{result[key]:.2f} {key}" for key in ("of_copy", "of_matmul") if result[key]]
    parts += [f"{times:.2f} x {name}" for name, times in result["times"].items()]
    if result["error"] is not None:
        parts.append(f"error {result['error']:.1e} (reference {result['reference_error']:.1e})")
    verdict = "missed " + ", ".join(result["missed"]) if result["missed"] else "met"
    return f"{row.name:56} {'  '.join(parts)}  {verdict if row.bars() != 'no bar' else ''}"


if __name__ == "__main__":
    main()
