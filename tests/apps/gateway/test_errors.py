import pytest

from raylm_apps.gateway.errors import HIDDEN, MESSAGES, STATUS, ApiError, code_for


@pytest.mark.parametrize("code", MESSAGES)
def test_every_code_has_a_status_and_a_sentence(code: str) -> None:
    error = ApiError(code, "why")
    assert error.status == STATUS[code.partition(":")[0]]
    assert error.body() == {"code": code, "message": MESSAGES[code], "cause": "why"}
    assert MESSAGES[code].endswith(".")


@pytest.mark.parametrize("code", ["bad_request:database", "internal:server"])
def test_what_is_not_for_users_is_masked(code: str) -> None:
    body = ApiError(code, "password=hunter2 in table users").body()
    assert body == {"code": "", "message": HIDDEN, "cause": None}


@pytest.mark.parametrize("status", [400, 403, 404, 405, 413, 415, 418, 500, 502])
def test_the_frameworks_own_errors_can_be_shown(status: int) -> None:
    assert ApiError(code_for(status)).body()["message"]
