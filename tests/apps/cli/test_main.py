"""The command line as people and scripts meet it: a real process, its exit code, its one line."""

import subprocess
import sys
from pathlib import Path

import orjson
import pytest

RAYLM = Path(sys.executable).parent / "raylm"
CONFIG = "steps: 1\nmodel: {hidden_size: 64, num_layers: 1, num_heads: 2}\n"


def raylm(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [str(RAYLM), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(CONFIG)
    return path


def test_an_unknown_verb_suggests_the_nearest() -> None:
    result = raylm("trian")
    assert result.returncode == 2
    assert "Did you mean 'train'?" in result.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "absent.yaml"], "absent.yaml: no such config file"),
        (["up", "--set", "prot=1"], "unknown key 'prot' (value 1); did you mean 'port'?"),
        (["up", "--port", "99999"], "key 'port' (value 99999)"),
        (["generate", "--model", "smolm2", "hi"], "smollm2"),
        (["generate", "hi", "--temperature", "nan"], "temperature is nan"),
        (["generate", "hi", "--quantization", "int3"], "quantization"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_two(words: list[str], message: str) -> None:
    result = raylm(*words)
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1
    assert message in lines[0]
    assert result.returncode == 2


def test_a_bad_override_names_the_file(config: Path) -> None:
    result = raylm("train", config, "--set", "optimizer.lrr=1")
    assert result.returncode == 2
    assert result.stderr.startswith(f"raylm: {config}: unknown key 'optimizer.lrr' (value 1)")


def test_status_without_a_server_says_so(tmp_path: Path) -> None:
    result = raylm("status", "--data-dir", tmp_path, "--json")
    assert result.returncode == 1
    assert orjson.loads(result.stdout.splitlines()[-1])["running"] is False


def test_down_without_a_server_is_fine(tmp_path: Path) -> None:
    result = raylm("down", "--data-dir", tmp_path)
    assert result.returncode == 0
    assert "nothing runs" in result.stdout


def test_doctor_tells_which_kernel_serves_what() -> None:
    result = raylm("doctor", "--kernels")
    assert result.returncode == 0
    told = orjson.loads(raylm("doctor", "--kernels", "--json").stdout.splitlines()[-1])
    assert "torch" in told["rms_norm"]
    assert result.stdout.count("  * ") == len(told)  # one serves each op


def test_doctor_reports_every_part_as_json() -> None:
    result = raylm("doctor", "--json")
    findings = orjson.loads(result.stdout.splitlines()[-1])
    assert result.returncode == 0
    assert {"machine", "torch", "cpu kernels", "packed", "model", "node"} <= set(findings)
    assert all(finding["ok"] or finding["remedy"] for finding in findings.values())


def test_generate_answers_with_the_real_model() -> None:
    result = raylm(
        "generate",
        "Name the capital of Italy.",
        "--temperature",
        "0",
        "--max-tokens",
        "12",
        "--json",
    )
    answer = orjson.loads(result.stdout.splitlines()[-1])
    assert "Rome" in answer["text"]
    assert answer["finish_reason"] in ("stop", "length")


def test_chat_keeps_the_conversation(tmp_path: Path) -> None:
    lines = "My name is Ada.\n/new\nName the capital of Italy.\n/exit\n"
    result = subprocess.run(
        [str(RAYLM), "chat", "--temperature", "0", "--max-tokens", "24"],
        input=lines,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "Rome" in result.stdout
