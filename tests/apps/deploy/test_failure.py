"""A replica's error reaches the command line as it was raised."""

import pytest

from raylm.core.errors import EngineError, ModelNotFoundError, WeightsError
from raylm_apps.deploy.failure import failure_of

REPORT = """The deployment failed to start 1 times in a row. See controller logs. Error:
\x1b[36mray::ServeReplica:engine:engine.initialize_and_get_metadata()\x1b[39m (pid=7)
RuntimeError: Traceback (most recent call last):
  File "deployment.py", line 33, in __init__
{raised}"""


@pytest.mark.parametrize("kind", [ModelNotFoundError, WeightsError, EngineError])
def test_our_own_errors_come_back(kind):
    raised = f"raylm.core.errors.{kind.__name__}: no model 'x': known: smollm2"
    error = failure_of("engine", REPORT.format(raised=raised))
    assert type(error) is kind
    assert str(error) == "no model 'x': known: smollm2"


@pytest.mark.parametrize(
    ("raised", "says"),
    [
        ("MemoryError: 3 GB", "engine did not start: MemoryError: 3 GB"),
        ("raylm.core.errors.RequestError: odd", "RequestError: odd"),
        ("raylm.core.errors.NoSuchError: odd", "NoSuchError: odd"),
    ],
)
def test_others_become_one_line(raised, says):
    error = failure_of("engine", REPORT.format(raised=raised))
    assert type(error) is EngineError
    assert says in str(error)
    assert "\n" not in str(error)


def test_no_report_at_all():
    assert "no reason given" in str(failure_of("gateway", ""))
