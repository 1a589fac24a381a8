import pytest

from tests.apps.gateway.harness import User

pytestmark = pytest.mark.services


def test_models_say_what_they_can(ada: User) -> None:
    listed = ada.http.get("/api/models").json()
    models = {model["id"]: model for model in listed["models"]}
    assert listed["default"] == "mock/echo"
    assert models["mock/reasoning"]["capabilities"]["reasoning"] is True
    assert models["mock/echo"]["capabilities"]["reasoning"] is False
    assert models["mock/base"]["chat_template"] is False
    assert models["mock/echo"]["chat_template"] is True
    assert listed["capabilities"].keys() == models.keys()
