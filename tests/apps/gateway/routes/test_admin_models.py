"""The engine's models and the providers' health, for admins, over a real engine app."""

from pathlib import Path
from typing import Any

import pytest

from tests.apps.gateway.harness import GatewayProcess, User, new_id
from tests.apps.gateway.runs.run_folder import WrittenRun

pytestmark = pytest.mark.services


def read(operator: User) -> dict[str, Any]:
    answer = operator.http.get("/api/admin/models")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def local(operator: User) -> dict[str, dict[str, Any]]:
    return {model["id"]: model for model in read(operator)["engine"]["models"]}


def test_what_is_loaded_and_what_could_be(operator: User, runs: Path) -> None:
    path = WrittenRun(runs, "mine").start().save(3)
    found = read(operator)
    engine = found["engine"]
    assert (engine["isUp"], engine["canChange"], engine["error"]) == (True, True, None)
    assert engine["availableBytes"] > 0
    models = local(operator)
    fake, smol, mine = (
        models[f"raylm/{name}"] for name in ("fake", "smollm2", "mine-step-00000003")
    )
    assert (fake["state"], fake["contextTokens"], fake["cacheUsed"]) == ("loaded", 200, 0.0)
    assert (smol["state"], smol["model"], smol["running"]) == ("unloaded", "smollm2", None)
    assert (mine["model"], mine["runId"], mine["step"]) == (str(path), "mine", 3)
    assert {one["name"]: one["isUp"] for one in found["providers"]} == {
        "raylm": True,
        "mock": True,
    }


def test_a_model_is_loaded_asked_and_let_go(operator: User, runs: Path) -> None:
    loaded = operator.http.post("/api/admin/models", json={"model": "smollm2"})
    assert (loaded.status_code, loaded.json()) == (201, {"id": "raylm/smollm2"})
    assert local(operator)["raylm/smollm2"]["state"] == "loaded"
    offered = [model["id"] for model in operator.http.get("/api/models").json()["models"]]
    assert "raylm/smollm2" in offered
    operator.ask("Where is Paris?", chat=new_id(), model="raylm/smollm2")
    smol = local(operator)["raylm/smollm2"]
    assert smol["generatedTokens"] == 7
    assert smol["firstTokenSeconds"] > 0
    gone = operator.http.delete("/api/admin/models", params={"model": "raylm/smollm2"})
    assert (gone.status_code, gone.json()) == (200, {"id": "raylm/smollm2"})
    assert local(operator)["raylm/smollm2"]["state"] == "unloaded"
    offered = [model["id"] for model in operator.http.get("/api/models").json()["models"]]
    assert "raylm/smollm2" not in offered


def test_what_is_not_listed_is_not_loaded(operator: User, runs: Path) -> None:
    """Whatever lies on the machine is not the page's admins' to name."""
    for model in ("/etc/passwd", "other", str(runs)):
        refused = operator.http.post("/api/admin/models", json={"model": model})
        assert (refused.status_code, refused.json()["code"]) == (404, "not_found:model")


def test_what_the_engine_refuses_is_told_in_its_words(operator: User, runs: Path) -> None:
    missing = operator.http.post("/api/admin/models", json={"model": "missing"})
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found:model")
    assert "no model 'missing'" in missing.json()["cause"]
    unknown = operator.http.delete("/api/admin/models", params={"model": "raylm/none"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found:model")


def test_a_gateway_without_an_engine_says_so(gateway: GatewayProcess, chief: User) -> None:
    assert read(chief)["engine"] is None
    refused = chief.http.post("/api/admin/models", json={"model": "smollm2"})
    assert (refused.status_code, refused.json()["code"]) == (503, "offline:engine")


def test_only_for_admins(operated: GatewayProcess) -> None:
    guest = operated.user()
    model = {"model": "smollm2"}
    for refused in (
        guest.http.get("/api/admin/models"),
        guest.http.post("/api/admin/models", json=model),
        guest.http.delete("/api/admin/models", params=model),
    ):
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden:auth")


@pytest.fixture
def chief(gateway: GatewayProcess, execute: Any) -> User:
    chief = gateway.user()
    email = chief.register()
    execute("update users set role = 'admin' where id = $1", chief.id)
    chief.log_in(email)
    return chief
