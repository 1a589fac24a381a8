"""Runs over HTTP: real directories, read by admins while they grow."""

import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.apps.gateway.harness import GatewayProcess, User, new_id, text_of
from tests.apps.gateway.runs.run_folder import WrittenRun

pytestmark = pytest.mark.services


def listed(operator: User) -> list[dict[str, Any]]:
    answer = operator.http.get("/api/runs")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["runs"]
    return found


def test_the_list_has_the_newest_first_and_what_it_needs(operator: User, runs: Path) -> None:
    WrittenRun(runs, "first").start().steps(1, 3).finish()
    time.sleep(0.01)
    WrittenRun(runs, "second").start().steps(1, 5)
    second, first = listed(operator)
    assert (first["id"], first["name"], first["status"]) == ("first", "demo", "finished")
    assert (second["id"], second["status"]) == ("second", "running")
    assert (second["step"], second["steps"], second["worldSize"]) == (5, 40, 2)
    assert (second["loss"], second["tokensPerSecond"]) == (0.8, 1005.0)
    assert (second["algorithm"], second["reward"], second["error"]) == (None, None, None)


def test_how_runs_end(operator: User, runs: Path) -> None:
    for status in ("finished", "failed", "interrupted"):
        WrittenRun(runs, status).start().finish(status)
    told = {run["id"]: run["status"] for run in listed(operator)}
    assert told == {"finished": "finished", "failed": "failed", "interrupted": "stopped"}


def test_broken_directories_are_told_and_hinder_nothing(operator: User, runs: Path) -> None:
    WrittenRun(runs, "good").start().steps(1, 1)
    (runs / "no-config").mkdir()
    (runs / "no-config" / "metrics.jsonl").write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "lo')
    (runs / "bad-yaml").mkdir()
    (runs / "bad-yaml" / "config.yaml").write_text("a: [")
    (runs / "no run at all").mkdir()
    (runs / "file").write_text("x")
    by_id = {run["id"]: run for run in listed(operator)}
    assert by_id.keys() == {"good", "no-config", "bad-yaml"}
    assert by_id["good"]["status"] == "running"
    assert by_id["no-config"]["status"] == by_id["bad-yaml"]["status"] == "broken"
    assert "no config.yaml" in by_id["no-config"]["error"]
    assert "not valid YAML" in by_id["bad-yaml"]["error"]
    assert by_id["no-config"]["loss"] == 2.0


def test_an_alignment_is_known_by_its_algorithm(operator: User, runs: Path) -> None:
    run = WrittenRun(runs, "aligned").start()
    (run.folder / "config.yaml").write_text("name: aligned\nsteps: 9\nalign: {algorithm: grpo}\n")
    run.row(step=1, loss=0.5, reward=0.25, kl=0.01)
    samples = [{"step": 1, "prompt": f"q{n}", "answer": "a", "reward": n} for n in range(3)]
    (run.folder / "samples.jsonl").write_bytes(b"".join(orjson.dumps(s) + b"\n" for s in samples))
    (found,) = listed(operator)
    assert (found["algorithm"], found["reward"]) == ("grpo", 0.25)
    assert operator.http.get("/api/runs/aligned").json()["hasSamples"] is True
    newest = operator.http.get("/api/runs/aligned/samples?limit=2").json()["samples"]
    assert [sample["prompt"] for sample in newest] == ["q2", "q1"]


def test_one_run_whole(operator: User, runs: Path) -> None:
    run = WrittenRun(runs, "whole").start().steps(1, 4)
    run.save(2)
    run.save(4)
    (run.directory.checkpoints / ".draft-step-00000006").mkdir()
    (run.directory.checkpoints / "step-00000008").mkdir()
    found = operator.http.get("/api/runs/whole").json()
    assert found["config"]["steps"] == 40
    assert [event["event"] for event in found["events"]] == ["epoch_started"]
    assert found["eventCount"] == 1
    assert [one["name"] for one in found["checkpoints"]] == ["step-00000004", "step-00000002"]
    newest = found["checkpoints"][0]
    assert (newest["step"], newest["sizeBytes"], newest["isLatest"]) == (4, 100, True)
    assert newest["model"] == "raylm/whole-step-00000004"
    assert found["hasSamples"] is False


def test_curves_whole_and_down_sampled(operator: User, runs: Path) -> None:
    run = WrittenRun(runs, "curves").start().steps(1, 50)
    run.row(step=51, loss=99.0)
    with (run.folder / "metrics.jsonl").open("ab") as file:
        file.write(b'{"step": 52, "lo')
    all_of_it = operator.http.get("/api/runs/curves/metrics").json()
    assert all_of_it["steps"] == list(range(1, 52))
    loss = all_of_it["columns"]["loss"]
    assert loss["mean"] == loss["least"] == loss["most"]
    assert all_of_it["columns"]["lr"]["mean"][-1] is None
    few = operator.http.get("/api/runs/curves/metrics?points=10").json()
    assert len(few["steps"]) <= 10
    assert (few["rowCount"], sum(few["counts"]), few["steps"][-1]) == (51, 51, 51)
    assert max(few["columns"]["loss"]["most"]) == 99.0
    later = operator.http.get("/api/runs/curves/metrics?after=48").json()
    assert later["steps"] == [49, 50, 51]
    assert later["metricsEnd"] == all_of_it["metricsEnd"]


def test_a_stream_tells_what_is_appended_and_where_to_go_on(operator: User, runs: Path) -> None:
    run = WrittenRun(runs, "live").start().steps(1, 3)
    ends = {
        "metrics": operator.http.get("/api/runs/live/metrics").json()["metricsEnd"],
        "events": operator.http.get("/api/runs/live").json()["eventsEnd"],
    }
    with operator.http.stream("GET", "/api/runs/live/stream", params=ends) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = response.iter_lines()
        run.steps(4, 5)
        run.directory.event("worker_lost", rank=1, pid=7, reason="killed")
        event_id, news = _next(lines)
        rows, events = news["metrics"], news["events"]
        while not events or len(rows) < 2:
            event_id, news = _next(lines)
            rows, events = rows + news["metrics"], events + news["events"]
        assert [row["step"] for row in rows] == [4, 5]
        assert [event["event"] for event in events] == ["worker_lost"]
    run.steps(6, 6)
    headers = {"last-event-id": event_id}
    with operator.http.stream("GET", "/api/runs/live/stream", headers=headers) as response:
        _, news = _next(response.iter_lines())
        assert [row["step"] for row in news["metrics"]] == [6]


def test_a_run_that_goes_on_from_a_checkpoint_is_to_be_read_again(
    operator: User, runs: Path
) -> None:
    run = WrittenRun(runs, "again").start().steps(1, 5)
    end = operator.http.get("/api/runs/again/metrics").json()["metricsEnd"]
    with operator.http.stream("GET", f"/api/runs/again/stream?metrics={end}") as response:
        lines = response.iter_lines()
        _next(lines)  # the events that there have been
        run.directory.rewind(3)
        _, news = _next(lines)
        assert news == {"isAnew": True}
        assert list(lines) == [""]


@pytest.mark.parametrize(
    "name", ["%2e%2e", "..%2f..", "outside", "none", "x" * 300, "a%00b", ".hidden"]
)
@pytest.mark.parametrize("rest", ["", "/metrics", "/samples", "/stream"])
def test_nothing_outside_the_folder_is_a_run(
    operator: User, runs: Path, tmp_path: Path, name: str, rest: str
) -> None:
    WrittenRun(tmp_path, "secret").start()
    (runs / "outside").symlink_to(tmp_path / "secret")
    WrittenRun(runs, ".hidden").start()
    answer = operator.http.get(f"/api/runs/{name}{rest}")
    assert answer.status_code in (400, 404), answer.text
    assert "epoch_started" not in answer.text
    assert [run["id"] for run in listed(operator)] == []


def test_a_linked_file_is_not_read(operator: User, runs: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text('{"step": 1, "prompt": "for nobody"}\n')
    run = WrittenRun(runs, "linked").start()
    (run.folder / "samples.jsonl").symlink_to(secret)
    run.directory.checkpoints.mkdir()
    saved = WrittenRun(tmp_path, "other").save(7)
    (run.directory.checkpoints / "step-00000007").symlink_to(saved)
    assert operator.http.get("/api/runs/linked/samples").json() == {"samples": []}
    assert operator.http.get("/api/runs/linked").json()["checkpoints"] == []


def test_a_checkpoint_is_loaded_and_answers(operator: User, runs: Path) -> None:
    run = WrittenRun(runs, "talks").start().steps(1, 2)
    path = run.save(2)
    loaded = operator.http.post("/api/runs/talks/checkpoints/latest/load")
    assert loaded.status_code == 201, loaded.text
    model = loaded.json()["id"]
    assert model == f"raylm/{path.resolve()}"  # as this engine's loader names it
    operator.ask("Where is Paris?", chat=(chat := new_id()), model=model)
    assert text_of(operator.answer(chat)) == "The capital of France is Paris."
    missing = operator.http.post("/api/runs/talks/checkpoints/step-00000009/load")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found:checkpoint")
    assert operator.http.delete("/api/admin/models", params={"model": model}).status_code == 200


def test_runs_are_for_admins(operated: GatewayProcess, runs: Path) -> None:
    WrittenRun(runs, "closed").start().save(1)
    guest = operated.user()
    for path in ("", "/closed", "/closed/metrics", "/closed/samples", "/closed/stream"):
        refused = guest.http.get(f"/api/runs{path}")
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden:auth")
    load = guest.http.post("/api/runs/closed/checkpoints/latest/load")
    assert (load.status_code, load.json()["code"]) == (403, "forbidden:auth")


def _next(lines: Any) -> tuple[str, dict[str, Any]]:
    """The next event's id and data."""
    event_id = ""
    for line in lines:
        if line.startswith("id: "):
            event_id = line[4:]
        if line.startswith("data: "):
            return event_id, orjson.loads(line[6:])
    raise AssertionError("the stream has ended")
