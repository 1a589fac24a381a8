"""`raylm bench decode` without peers: every row that needs none is measured and judged."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from raylm_kernels.cpu import build
from tests.tiny_model import TEXTS, write_tiny_model

KINDS = ("int8", "int4", "int4, int4 head")
RAYLM = Path(sys.executable).parent / "raylm"


@pytest.mark.skipif(not build.available()[0], reason="no C++ compiler for the CPU kernels")
def test_a_quick_run_measures_every_row_that_needs_no_peer(tmp_path):
    model = write_tiny_model(tmp_path / "tiny")
    text = tmp_path / "text.txt"
    text.write_text(TEXTS[0] * 40)
    output = tmp_path / "figures" / "decode.json"
    words = ["--model", model, "--text", text, "--output", output, "--json", "--quick", "--peers"]
    command = [str(word) for word in (RAYLM, "bench", "decode", *words)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout.splitlines()[-1])
    assert told == json.loads(output.read_text())
    rows = {row["row"]["what"]: row for row in told["rows"]}
    assert set(rows) == {
        "C++ loop of the bandwidth bound, int4",
        "C++ loop of the bandwidth bound, int8",
        "engine in Python of the C++ loop, int4",
        "engine in Python of the C++ loop, int8",
        "two threads, int4",
        "two threads, cores busy, int4",
    }
    assert all(row["ratio"] > 0 and row["ours"] > 0 for row in rows.values())
    perplexities = {told["figures"][f"raylm {kind} perplexity"][0] for kind in KINDS}
    assert len(perplexities) == len(KINDS)
    assert all(1 < perplexity < 10_000 for perplexity in perplexities)
    assert "left out: decode, batch 8, int4" in result.stdout
