"""Models changed over HTTP by who has the key, over a real socket."""

import threading
import time

import httpx
import pytest

from tests.serve.conftest import FakeLoader, serving

KEY = "a-secret"
SENTENCE = "The capital of France is Paris."
ROUTES = [
    ("POST", "/v1/models"),
    ("POST", "/v1/models/raylm/fake/update"),
    ("DELETE", "/v1/models/raylm/fake"),
]


@pytest.fixture
def loader():
    return FakeLoader()


@pytest.fixture
def server(engine, loader):
    with serving(engine, admin_key=KEY, loader=loader) as running:
        yield running


@pytest.fixture
def admin(server):
    headers = {"authorization": f"Bearer {KEY}"}
    with httpx.Client(base_url=server.url, timeout=10, headers=headers) as client:
        yield client


def ask(client, model, **options):
    return client.post("/v1/completions", json={"model": model, "prompt": "x", **options})


def listed(client):
    return [model["id"] for model in client.get("/v1/models").json()["data"]]


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    "key", [None, "", "Bearer", "Bearer wrong", "Bearer \xe9", f"Bearer {KEY}x"]
)
def test_only_the_key_opens(http, engine, method, path, key):
    headers = {} if key is None else {"authorization": key.encode("latin-1")}
    body = {} if method == "DELETE" else {"json": {"model": "second"}}
    reply = http.request(method, path, headers=headers, **body)
    assert reply.status_code == 401
    assert "ADMIN_KEY" in reply.json()["error"]["message"]
    assert listed(http) == ["raylm/fake"]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_without_a_key_nobody_changes_models(engine, method, path):
    with serving(engine) as server:
        body = {} if method == "DELETE" else {"json": {"model": "second"}}
        headers = {"authorization": "Bearer None"}
        reply = httpx.request(method, server.url + path, headers=headers, **body)
    assert reply.status_code == 403
    assert "RAYLM_ADMIN_KEY" in reply.json()["error"]["message"]


def test_a_model_is_loaded_listed_served_and_unloaded(admin, http):
    reply = admin.post("/v1/models", json={"model": "second"})
    assert reply.status_code == 201
    assert reply.json()["id"] == "raylm/second"
    assert listed(http) == ["raylm/fake", "raylm/second"]
    assert ask(http, "second").json()["model"] == "raylm/second"
    assert admin.delete("/v1/models/raylm/second").json() == {
        "id": "raylm/second",
        "object": "model",
        "deleted": True,
    }
    assert ask(http, "second").status_code == 404
    assert admin.delete("/v1/models/raylm/second").status_code == 404


def test_the_last_model_may_go_and_another_come(admin, http):
    assert admin.delete("/v1/models/fake").status_code == 200
    assert listed(http) == []
    assert http.get("/health").json()["models"] == []
    assert http.get("/metrics").status_code == 200
    assert ask(http, "fake").json()["error"]["code"] == "model_not_found"
    admin.post("/v1/models", json={"model": "second", "name": "fake"})
    assert ask(http, "fake").status_code == 200


def test_what_cannot_be_loaded_says_why(admin, loader):
    unknown = admin.post("/v1/models", json={"model": "missing"})
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "model_not_found")
    assert admin.post("/v1/models/other/update", json={"model": "x"}).status_code == 404
    typo = admin.post("/v1/models", json={"model": "x", "quantisation": "int4"})
    assert typo.status_code == 400
    assert "did you mean 'quantization'" in typo.json()["error"]["message"]
    assert admin.post("/v1/models", json={"name": "x"}).json()["error"]["param"] == "model"
    taken = admin.post("/v1/models", json={"model": "second", "name": "raylm/fake"})
    assert (taken.status_code, taken.json()["error"]["code"]) == (409, "model_exists")
    loader.full = True
    full = admin.post("/v1/models", json={"model": "second"})
    assert (full.status_code, full.json()["error"]["code"]) == (507, "out_of_memory")


def test_a_stream_outlives_the_weights_it_runs_on(admin, http, engine):
    engine.token_s = 0.05
    body = {"model": "fake", "prompt": "x", "stream": True}
    with http.stream("POST", "/v1/completions", json=body) as reply:
        lines = reply.iter_lines()
        next(lines)
        update = admin.post("/v1/models/fake/update", json={"model": "better"})
        assert update.status_code == 200
        assert engine.running
        rest = "".join(lines)
    assert "error" not in rest
    assert rest.endswith("[DONE]")
    assert len(engine.callers) == 1
    assert ask(http, "fake", max_tokens=50).json()["choices"][0]["text"] == SENTENCE
    assert len(engine.callers) == 1


def test_unloading_answers_once_the_streams_have_ended(admin, http, engine):
    engine.token_s = 0.05
    body = {"model": "fake", "prompt": "x", "stream": True}
    with http.stream("POST", "/v1/completions", json=body) as reply:
        lines = reply.iter_lines()
        next(lines)
        unloading = threading.Thread(target=admin.delete, args=("/v1/models/fake",))
        unloading.start()
        while listed(admin):
            time.sleep(0.005)
        assert unloading.is_alive()
        assert "".join(lines).endswith("[DONE]")
    unloading.join(5)
    assert not unloading.is_alive()
    assert not engine.running
