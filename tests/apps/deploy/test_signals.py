"""Signals, in a process of their own."""

import signal
import subprocess
import sys
import time

import pytest

PROGRAM = """
import time
from contextlib import ExitStack
from raylm_apps.deploy import signals

def clean_up():
    print("cleaning", flush=True)
    time.sleep(0.5)
    print("clean", flush=True)

with signals.terminable(), ExitStack() as started, signals.deaf_afterwards():
    started.callback(clean_up)
    print("started", flush=True)
    time.sleep(30)
"""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, -signal.SIGINT)]
)
def test_a_signal_unwinds_and_a_second_one_does_not_cut_it_short(number, code):
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout.readline() == b"started\n"
        time.sleep(0.05)
        process.send_signal(number)
        assert process.stdout.readline() == b"cleaning\n"
        process.send_signal(number)
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == b"clean\n"
        assert process.wait(10) == code
