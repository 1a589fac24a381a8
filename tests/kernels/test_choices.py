"""Times on disk: shared by threads and processes, and never trusted when damaged."""

import json
import subprocess
import sys
import threading
import warnings

import pytest

from raylm_kernels.choices import Choices

TIMES = {"torch": 2e-3, "compiled": 1e-3}


def test_what_is_remembered_is_there_for_the_next(tmp_path):
    Choices(tmp_path).remember("op@cpu:float32[8]", TIMES)
    assert Choices(tmp_path).times("op@cpu:float32[8]") == TIMES
    assert Choices(tmp_path).times("op@cpu:float32[16]") is None


def test_forgetting_is_by_op(tmp_path):
    choices = Choices(tmp_path)
    choices.remember("one@cpu:x", TIMES)
    choices.remember("two@cpu:x", TIMES)
    choices.forget("one@")
    assert choices.times("one@cpu:x") is None
    assert Choices(tmp_path).times("two@cpu:x") == TIMES


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[1, 2]",
        lambda text: text.replace("0.002", '"soon"'),
        lambda text: json.dumps(json.loads(text) | {"machine": {"cpu": "another"}}),
    ],
    ids=["cut", "empty", "list", "type", "other machine"],
)
def test_a_file_that_is_no_good_is_measured_anew(tmp_path, damage):
    choices = Choices(tmp_path)
    choices.remember("op@cpu:x", TIMES)
    choices.path.write_text(damage(choices.path.read_text()))
    with pytest.warns(UserWarning, match="timed again"):
        assert Choices(tmp_path).times("op@cpu:x") is None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Choices(tmp_path).remember("op@cpu:y", TIMES)
    assert Choices(tmp_path).times("op@cpu:y") == TIMES


def test_a_folder_that_cannot_be_written_is_done_without(tmp_path):
    (tmp_path / "file").touch()
    choices = Choices(tmp_path / "file" / "folder")
    with pytest.warns(UserWarning, match="are not kept"):
        choices.remember("op@cpu:x", TIMES)
    assert choices.times("op@cpu:x") == TIMES


def test_threads_lose_nothing(tmp_path):
    choices = Choices(tmp_path)
    threads = [
        threading.Thread(target=choices.remember, args=(f"op@cpu:{n}", TIMES)) for n in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(Choices(tmp_path).times(f"op@cpu:{n}") == TIMES for n in range(20))


def test_processes_lose_nothing(tmp_path):
    program = (
        "import sys; from pathlib import Path; from raylm_kernels.choices import Choices\n"
        "choices = Choices(Path(sys.argv[1]))\n"
        "for n in range(20): choices.remember(f'{sys.argv[2]}@cpu:{n}', {'torch': 1.0})\n"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path), name]) for name in "ab"
    ]
    assert [writer.wait() for writer in writers] == [0, 0]
    found = Choices(tmp_path)
    assert all(found.times(f"{name}@cpu:{n}") for name in "ab" for n in range(20))
