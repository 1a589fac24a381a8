import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "apps" / "examples"


@pytest.mark.ray
def test_regression_reaches_the_closed_form_though_workers_are_killed():
    command = [sys.executable, str(EXAMPLES / "elastic_regression.py"), "--kills", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("worker_lost") == 2
    [distance] = re.findall(r"distance from the closed form: (\S+)", done.stdout)
    assert float(distance) < 1e-9
