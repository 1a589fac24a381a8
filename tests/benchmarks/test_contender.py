"""A contender lives between its turns, and its end is told with its log's."""

import pytest

from benchmarks.infer.contender import Contender, ContenderError

ECHO = """
from benchmarks.infer.turns import Laps, serve

def count(numbers):
    print("libraries print what they like")
    laps = Laps()
    total = sum(laps.time(lambda n=n: n) for n in numbers)
    return {"total": total, "laps": len(laps.as_dict()["cpu_s"])}

def fail():
    raise RuntimeError("out of steam")

def prepare():
    print("some print before they are ready")
    return {"count": count, "fail": fail}

serve(prepare)
"""


@pytest.fixture
def contender(tmp_path, monkeypatch):
    (tmp_path / "echo_turns.py").write_text(ECHO)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Contender("echo_turns") as started:
        yield started


def test_it_answers_turn_after_turn(contender):
    contender.wait_until_ready()
    assert contender.take("count", numbers=[1, 2, 3]) == {"total": 6, "laps": 3}
    assert contender.take("count", numbers=[4]) == {"total": 4, "laps": 1}


def test_a_turn_that_fails_ends_it_with_the_reason(contender):
    contender.wait_until_ready()
    with pytest.raises(ContenderError, match=r"echo_turns ended with 1:\n(?s:.*)out of steam"):
        contender.take("fail")
    with pytest.raises(ContenderError, match="out of steam"):
        contender.take("count", numbers=[1])


def test_a_process_that_never_got_ready_says_why():
    with Contender("no_such_turns") as absent, pytest.raises(ContenderError, match="No module"):
        absent.wait_until_ready()
