import pytest

from tests.apps.gateway.harness import User

pytestmark = pytest.mark.services


def test_alive_and_ready(ada: User) -> None:
    assert ada.http.get("/health/live").json() == {"status": "alive"}
    ready = ada.http.get("/health/ready")
    assert ready.status_code == 200
    assert ready.json() == {
        "status": "ready",
        "checks": {"postgres": "up", "redis": "up", "models": "up"},
    }


def test_metrics_count_requests_and_answers(ada: User, chat: str) -> None:
    ada.ask("count me", chat=chat)
    metrics = ada.http.get("/metrics").text
    assert 'raylm_http_requests_total{method="POST",route="/api/chat",status="200"}' in metrics
    assert 'raylm_answers_total{model="mock/echo",status="complete"}' in metrics
    assert 'raylm_first_token_seconds_count{model="mock/echo"}' in metrics
    assert "raylm_answers_active" in metrics


def test_a_request_has_a_name(ada: User) -> None:
    response = ada.http.get("/health/live", headers={"x-request-id": "my-request.1"})
    assert response.headers["x-request-id"] == "my-request.1"
    forged = ada.http.get("/health/live", headers={"x-request-id": "a b" * 50})
    assert len(forged.headers["x-request-id"]) == 32
