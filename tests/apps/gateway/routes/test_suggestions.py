import asyncio
from typing import Any

import httpx
import pytest

from raylm_apps.gateway.embedded import StoreUrls
from raylm_apps.gateway.store import documents, suggestions, users
from raylm_apps.gateway.store.documents import Draft
from raylm_apps.gateway.store.pool import Database
from tests.apps.gateway.harness import User, new_id

pytestmark = pytest.mark.services


@pytest.fixture
def made(stores: StoreUrls, ada: User) -> dict[str, Any]:
    """Two suggestions for a document of Ada's, as the tool makes them."""
    return asyncio.run(_make(stores, ada.id))


async def _make(stores: StoreUrls, user_id: str) -> dict[str, Any]:
    database = Database(stores.database_url)
    await database.open()
    async with database.transaction() as connection:
        assert await users.ensure(connection, user_id, is_guest=True)
        draft = Draft("Title", "text", "One. Two.")
        version = await documents.add(connection, new_id(), user_id, draft)
        assert version is not None
        ids = [new_id(), new_id()]
        for suggestion_id, text in zip(ids, ("One.", "Two."), strict=True):
            await suggestions.add(
                connection, suggestion_id, version.id, version.created_at, user_id, text, "x", "y"
            )
    await database.close()
    return {"document": version.id, "ids": ids}


def read(user: User, document: str) -> list[dict[str, Any]]:
    return user.http.get(f"/api/suggestions?documentId={document}").json()


def refusal(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def test_in_the_order_in_which_they_were_made(ada: User, made: dict[str, Any]) -> None:
    found = read(ada, made["document"])
    assert [suggestion["id"] for suggestion in found] == made["ids"]
    assert set(found[0]) == {
        "id",
        "documentId",
        "documentCreatedAt",
        "originalText",
        "suggestedText",
        "description",
        "isResolved",
        "status",
        "userId",
        "createdAt",
    }


@pytest.mark.parametrize(
    ("status", "is_resolved"), [("resolved", True), ("dismissed", True), ("open", False)]
)
def test_the_user_decides(ada: User, made: dict[str, Any], status: str, is_resolved: bool) -> None:
    url = f"/api/suggestions/{made['ids'][0]}"
    settled = ada.http.patch(url, json={"status": status}).json()
    assert (settled["status"], settled["isResolved"]) == (status, is_resolved)
    found = read(ada, made["document"])
    assert [suggestion["status"] for suggestion in found] == [status, "open"]


def test_a_version_takes_its_suggestions_with_it(ada: User, made: dict[str, Any]) -> None:
    ada.http.delete(f"/api/document?id={made['document']}&timestamp=2000-01-01T00:00:00Z")
    assert read(ada, made["document"]) == []


def test_an_edit_in_place_keeps_them(ada: User, made: dict[str, Any]) -> None:
    body = {"content": "One!", "title": "T", "kind": "text", "isManualEdit": True}
    ada.http.post(f"/api/document?id={made['document']}", json=body)
    assert len(read(ada, made["document"])) == 2


def test_what_is_refused(ada: User) -> None:
    assert read(ada, new_id()) == []
    assert refusal(ada.http.get("/api/suggestions")) == (400, "bad_request:api")
    unknown = ada.http.patch(f"/api/suggestions/{new_id()}", json={"status": "resolved"})
    assert refusal(unknown) == (404, "not_found:suggestions")
    strange = ada.http.patch(f"/api/suggestions/{new_id()}", json={"status": "eaten"})
    assert refusal(strange) == (400, "bad_request:api")


def test_another_user_neither_reads_nor_decides(
    ada: User, babbage: User, made: dict[str, Any]
) -> None:
    reading = babbage.http.get(f"/api/suggestions?documentId={made['document']}")
    assert refusal(reading) == (403, "forbidden:suggestions")
    url = f"/api/suggestions/{made['ids'][0]}"
    settling = babbage.http.patch(url, json={"status": "dismissed"})
    assert refusal(settling) == (403, "forbidden:suggestions")
    assert [suggestion["status"] for suggestion in read(ada, made["document"])] == ["open"] * 2
