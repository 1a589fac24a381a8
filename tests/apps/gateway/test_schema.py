"""Every request that /openapi.json allows, and many that it forbids: the answers are as it says."""

import re
from collections.abc import Iterator
from http.cookiejar import DefaultCookiePolicy
from itertools import count
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import positive_data_acceptance

from raylm_apps.gateway.main import create_app
from raylm_apps.gateway.settings import Settings
from tests.apps.gateway.estate import Estate
from tests.apps.gateway.harness import GatewayProcess, new_id

pytestmark = pytest.mark.services
CONFIG = {
    "max-stream-events": 20,
    "request-timeout": 20,
    "generation": {"deterministic": True},
    # What is wrong may be too large besides, which is found first.
    "checks": {
        "negative_data_rejection": {
            "expected-statuses": [
                "400",
                "401",
                "403",
                "404",
                "405",
                "406",
                "409",
                "413",
                "415",
                "429",
            ]
        }
    },
}
# What a schema cannot say of a request, and the route refuses: how the causes begin.
REFUSALS = {
    "GET /api/history": "starting_after or ending_before, not both",
    # Of `message` and `messages` one must be there, and have something to answer, but not too much;
    # the last of `messages` must be like `message`, the others may be of any client's making. A
    # file is one that was uploaded, or well-formed base64; a model is one of /api/models.
    "POST /api/chat": r"message or messages must|the message has |(id|parts)[.:]"
    r"|'.*' is no file of yours|a data: URL of a file must be|unknown model",
    # A model is one of /v1/models; of what OpenAI's format can say, some has no translation.
    "POST /v1/chat/completions": r".*\((unknown model|.*: )|.* is only possible with models"
    r"|a tool's message needs|.*is neither https: nor data:|a file is sent as|the data is not",
    "POST /v1/completions": r".*\((unknown model|.*: )|this model takes one"
    r"|.*is not possible with this|.* is not supported|.*must (be|lie)|.*empty",
    "POST /v1/embeddings": r".*\((unknown model|.*: )|.*makes no embeddings",
    # Schemathesis' first example of a header does not fit the header's own pattern.
    "GET /api/chat/{chat_id}/stream": "Last-Event-ID is not an event's id",
    # A browser that was sent to the provider has a cookie to come back with.
    "GET /api/auth/oauth/{provider}/callback": "the sign-in was not begun in this browser",
    # Any bytes are a `binary` string; and with 8 others the form has a field too many.
    "POST /api/files/upload": "the file (is|begins)|Too many fields",
    # All of a name may be white space, which is taken off around it.
    "POST /api/keys": "name: String should have at least 1",
    "POST /api/auth/register": "name: String should have at least 1",
    # One of three limits must be there.
    "PATCH /api/keys/{key_id}": "budget: Value error, one of requests, tokens, micros",
    # A token is one that was mailed, and any string may be one.
    "POST /api/auth/password/reset": "bad_request:token",
    "POST /api/auth/verify": "bad_request:token",
    # A model is one of /api/models, a message says something, and not any string is base64.
    "POST /v1/messages/count_tokens": "There is no such model|messages: there is nothing"
    "|.* it is not base64",
    "POST /v1/messages": "There is no such model|messages: there is nothing|.* it is not base64",
    # A hundred versions, of which each is right.
    "POST /api/document": "the document has 100 versions",
}
# After these, who asked is nobody.
ENDING = {"POST /api/auth/logout", "DELETE /api/auth/sessions", "DELETE /api/account"}
api = schemathesis.openapi.from_dict(
    create_app(Settings()).openapi(), config=schemathesis.Config.from_dict(CONFIG)
)


class Asker:
    """Signed in, to an account of its own with one of everything."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self._gateway = gateway
        self._http = requests.Session()
        self._http.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._sign_in()

    def ask(self, case: schemathesis.Case) -> None:
        """A right request also about what there is, instead of ids that were thought up."""
        self._send(case)
        is_right = case.meta is not None and case.meta.generation.mode.is_positive
        if is_right and self._aim(case):
            self._send(case)

    def close(self) -> None:
        self._http.close()

    def _sign_in(self) -> None:
        self._user = self._gateway.user()
        self._estate = Estate.of(self._user, new_id())

    def _send(self, case: schemathesis.Case) -> None:
        headers = {"Cookie": self._user.cookie}
        response = case.call(self._gateway.base_url, self._http, headers)
        excluded = [positive_data_acceptance] if _is_known(case, response) else []
        case.validate_response(response, excluded_checks=excluded, headers=headers)
        if case.operation.label in ENDING:
            self._sign_in()

    def _aim(self, case: schemathesis.Case) -> bool:
        if case.path == "/api/chat" and isinstance(case.body, dict):
            case.body |= self._user.body("Hello", chat=self._estate.ids["chat_id"])
            return True
        places = (case.path_parameters, case.query, case.body)
        aims = [
            (place, name)
            for place in places
            if isinstance(place, dict)
            for name in place.keys() & self._estate.ids.keys()
            if not (
                name == "from" and case.path.endswith("/usage")
            )  # a day there, elsewhere a version
        ]
        for place, name in aims:
            place[name] = self._estate.id_of(case.path, name)
        return bool(aims)


def _is_known(case: schemathesis.Case, response: schemathesis.Response) -> bool:
    known = REFUSALS.get(case.operation.label)
    if known is None or response.status_code not in (400, 404, 413):
        return False
    return re.match(known, _told(response.json())) is not None


def _told(body: Any) -> str:
    error = body.get("error")
    told: str = error["message"] if isinstance(error, dict) else body["cause"] or body["code"]
    return told


NUMBERS = count()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A name for each operation: pytest-xdist runs one test of a name."""
    metafunc.parametrize("asker", [None], ids=[f"operation {next(NUMBERS)}"], indirect=True)


@pytest.fixture
def asker(gateway: GatewayProcess) -> Iterator[Asker]:
    asker = Asker(gateway)
    yield asker
    asker.close()


@api.parametrize()
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_document_is_kept_to(case: schemathesis.Case, asker: Asker) -> None:
    asker.ask(case)
