"""One `raylm up` per data folder, and the others learn who it is."""

import os
import subprocess
import sys

import pytest

from raylm.core.errors import InUseError
from raylm_apps.deploy.lock import NAME, Running, hold, read_lock

URL = "http://127.0.0.1:8000"
HOLD_AND_WAIT = """
import sys, pathlib
from raylm_apps.deploy.lock import hold
with hold(pathlib.Path(sys.argv[1]), "http://127.0.0.1:8000"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_holder_is_told_to_others(tmp_path):
    with hold(tmp_path / "data", URL):
        assert read_lock(tmp_path / "data") == Running(os.getpid(), URL)
    assert read_lock(tmp_path / "data") is None


def test_nobody_runs_on_a_folder_that_does_not_exist(tmp_path):
    assert read_lock(tmp_path / "nothing") is None


def test_a_second_holder_is_refused_by_name(tmp_path):
    with (
        hold(tmp_path, URL),
        pytest.raises(InUseError, match=rf"process {os.getpid()} at {URL}") as caught,
        hold(tmp_path, URL),
    ):
        pass
    assert str(tmp_path) in str(caught.value)
    assert "raylm down" in str(caught.value)


def test_an_unsigned_lock_is_refused_too(tmp_path):
    with hold(tmp_path, URL):
        (tmp_path / NAME).write_bytes(b"")
        assert read_lock(tmp_path) is None
        with pytest.raises(InUseError), hold(tmp_path, URL):
            pass


def test_kill_9_releases_it(tmp_path):
    command = [sys.executable, "-c", HOLD_AND_WAIT, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        assert read_lock(tmp_path) == Running(holder.pid, URL)
        holder.kill()
        holder.wait()
    assert read_lock(tmp_path) is None
    with hold(tmp_path, URL):
        pass
