import concurrent.futures
from datetime import datetime
from typing import Any

import httpx
import pytest

from tests.apps.gateway.harness import GatewayProcess, User, calls_of, new_id

pytestmark = pytest.mark.services


@pytest.fixture
def doc() -> str:
    return new_id()


def write(user: User, doc: str, content: str, **more: Any) -> httpx.Response:
    body = {"content": content, "title": "Ada's Document", "kind": "text", **more}
    return user.http.post(f"/api/document?id={doc}", json=body)


def versions(user: User, doc: str) -> list[dict[str, Any]]:
    return user.http.get(f"/api/document?id={doc}").json()


def contents(user: User, doc: str) -> list[str]:
    return [version["content"] for version in versions(user, doc)]


def refusal(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


class TestTheTemplatesOwn:
    """The twelve behaviours that vercel/ai-chatbot's route tests name."""

    def test_get_without_an_id(self, ada: User) -> None:
        assert refusal(ada.http.get("/api/document")) == (400, "bad_request:api")

    def test_get_of_an_unknown_id(self, ada: User, doc: str) -> None:
        response = ada.http.get(f"/api/document?id={doc}")
        assert refusal(response) == (404, "not_found:document")

    def test_post_creates_a_row(self, ada: User, doc: str) -> None:
        response = write(ada, doc, "Created by Ada")
        assert response.status_code == 200
        (row,) = response.json()
        created_at = row.pop("createdAt")
        assert datetime.fromisoformat(created_at).tzinfo is not None
        assert row == {
            "id": doc,
            "title": "Ada's Document",
            "content": "Created by Ada",
            "kind": "text",
            "userId": ada.id,
        }

    def test_get_returns_it(self, ada: User, doc: str) -> None:
        created = write(ada, doc, "Created by Ada").json()
        assert versions(ada, doc) == created

    def test_post_again_is_a_second_version(self, ada: User, doc: str) -> None:
        (first,) = write(ada, doc, "First").json()
        (second,) = write(ada, doc, "Second").json()
        assert second["id"] == first["id"]
        assert second["createdAt"] > first["createdAt"]

    def test_get_returns_both_in_order(self, ada: User, doc: str) -> None:
        rows = [write(ada, doc, text).json()[0] for text in ("First", "Second")]
        assert versions(ada, doc) == rows

    def test_delete_without_an_id(self, ada: User) -> None:
        response = ada.http.delete("/api/document?timestamp=2026-01-01T00:00:00Z")
        assert refusal(response) == (400, "bad_request:api")

    def test_delete_without_a_timestamp(self, ada: User, doc: str) -> None:
        write(ada, doc, "First")
        response = ada.http.delete(f"/api/document?id={doc}")
        assert refusal(response) == (400, "bad_request:api")

    def test_delete_after_the_first_deletes_exactly_the_second(self, ada: User, doc: str) -> None:
        first, second = [write(ada, doc, text).json()[0] for text in ("First", "Second")]
        deleted = ada.http.delete(f"/api/document?id={doc}&timestamp={first['createdAt']}")
        assert (deleted.status_code, deleted.json()) == (200, [second])

    def test_get_then_returns_one(self, ada: User, doc: str) -> None:
        (first,) = write(ada, doc, "First").json()
        write(ada, doc, "Second")
        ada.http.delete(f"/api/document?id={doc}&timestamp={first['createdAt']}")
        assert versions(ada, doc) == [first]

    def test_another_user_cannot_post(self, ada: User, babbage: User, doc: str) -> None:
        write(ada, doc, "Ada's")
        assert refusal(write(babbage, doc, "Babbage's")) == (403, "forbidden:document")

    def test_and_changes_nothing(self, ada: User, babbage: User, doc: str) -> None:
        created = write(ada, doc, "Ada's").json()
        for is_manual_edit in (True, False):
            write(babbage, doc, "Babbage's", isManualEdit=is_manual_edit)
        assert versions(ada, doc) == created


def test_a_manual_edit_changes_the_newest_in_place(ada: User, doc: str) -> None:
    write(ada, doc, "First")
    (second,) = write(ada, doc, "Second").json()
    (edited,) = write(ada, doc, "Better", title="Renamed", isManualEdit=True).json()
    assert edited == {**second, "content": "Better", "title": "Renamed"}
    assert contents(ada, doc) == ["First", "Better"]


def test_a_manual_edit_of_nothing_begins_a_document(ada: User, doc: str) -> None:
    assert write(ada, doc, "Begun", isManualEdit=True).status_code == 200
    assert contents(ada, doc) == ["Begun"]


def test_an_edit_that_began_from_an_older_version_is_one_of_its_own(ada: User, doc: str) -> None:
    began_from = write(ada, doc, "First").json()[0]["createdAt"]
    write(ada, doc, "By a tool meanwhile")
    edit = {"isManualEdit": True, "editedVersion": began_from}
    mine = write(ada, doc, "By hand", **edit).json()[0]["createdAt"]
    write(ada, doc, "By hand, more", isManualEdit=True, editedVersion=mine)
    assert contents(ada, doc) == ["First", "By a tool meanwhile", "By hand, more"]


def test_concurrent_writers_lose_nothing(ada: User, doc: str) -> None:
    texts = [f"Version {number}" for number in range(16)]
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda text: write(ada, doc, text).status_code, texts))
    assert answers == [200] * 16
    found = versions(ada, doc)
    assert sorted(version["content"] for version in found) == sorted(texts)
    assert len({version["createdAt"] for version in found}) == 16


def test_a_time_survives_the_clock_of_a_browser(ada: User, doc: str) -> None:
    """JavaScript's dates have milliseconds: cut to those, they name the same version."""
    rows = [write(ada, doc, str(number)).json()[0] for number in range(3)]
    time = datetime.fromisoformat(rows[1]["createdAt"]).isoformat(timespec="milliseconds")
    deleted = ada.http.delete("/api/document", params={"id": doc, "timestamp": time}).json()
    assert deleted == rows[2:]


def test_going_back_before_the_first_deletes_the_document(ada: User, doc: str) -> None:
    write(ada, doc, "First")
    ada.http.delete(f"/api/document?id={doc}&timestamp=2000-01-01T00:00:00Z")
    assert ada.http.get(f"/api/document?id={doc}").status_code == 404


@pytest.mark.parametrize(
    "timestamp",
    ["yesterday", "", "2026-13-01T00:00:00Z", "2026-01-01", "0001-01-01T00:00:00%2B23:00"],
)
def test_what_is_no_timestamp(ada: User, doc: str, timestamp: str) -> None:
    write(ada, doc, "First")
    response = ada.http.delete(f"/api/document?id={doc}&timestamp={timestamp}")
    assert refusal(response) == (400, "bad_request:api")
    assert contents(ada, doc) == ["First"]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"kind": "video"}, 400, "bad_request:api"),
        ({"title": "x" * 201}, 400, "bad_request:api"),
        ({"content": None}, 400, "bad_request:api"),
        ({"content": ["text"]}, 400, "bad_request:api"),
        ({"content": "x" * 200_001}, 413, "too_large:document"),
        ({"content": "x" * 1_000_000}, 413, "too_large:api"),
    ],
)
def test_what_is_refused(
    ada: User, doc: str, change: dict[str, Any], status: int, code: str
) -> None:
    assert refusal(write(ada, doc, **{"content": "text", **change})) == (status, code)
    assert ada.http.get(f"/api/document?id={doc}").status_code == 404


def test_versions_are_bounded(ada: User, doc: str) -> None:
    for number in range(100):
        write(ada, doc, str(number))
    refused = write(ada, doc, "one more")
    assert refusal(refused) == (413, "too_large:document")
    assert "100 versions" in refused.json()["cause"]
    assert write(ada, doc, "edited", isManualEdit=True).status_code == 200


def test_a_nul_is_dropped(ada: User, doc: str) -> None:
    (row,) = write(ada, doc, "a\x00b", title="c\x00d").json()
    assert (row["content"], row["title"]) == ("ab", "cd")


class TestDiff:
    def test_word_by_word(self, ada: User, doc: str) -> None:
        old = write(ada, doc, "The sky is blue.").json()[0]["createdAt"]
        new = write(ada, doc, "The sea is blue.").json()[0]["createdAt"]
        diff = ada.http.get(f"/api/document/diff?id={doc}&from={old}&to={new}").json()
        assert diff == {
            "from": old,
            "to": new,
            "spans": [
                {"kind": "equal", "text": "The "},
                {"kind": "delete", "text": "sky"},
                {"kind": "insert", "text": "sea"},
                {"kind": "equal", "text": " is blue."},
            ],
        }
        assert ada.http.get(f"/api/document/diff?id={doc}&from={old}").json() == diff

    def test_versions_that_are_not(self, ada: User, babbage: User, doc: str) -> None:
        old = write(ada, doc, "The sky is blue.").json()[0]["createdAt"]
        query = f"?id={doc}&from={old}"
        unknown = f"/api/document/diff?id={doc}&from=2000-01-01T00:00:00Z"
        assert refusal(ada.http.get(unknown)) == (404, "not_found:document")
        assert refusal(ada.http.get(f"/api/document/diff?id={doc}")) == (400, "bad_request:api")
        stranger = babbage.http.get(f"/api/document/diff{query}")
        assert refusal(stranger) == (403, "forbidden:document")


def test_another_user_neither_reads_nor_deletes(ada: User, babbage: User, doc: str) -> None:
    created = write(ada, doc, "Ada's").json()
    url = f"/api/document?id={doc}"
    assert refusal(babbage.http.get(url)) == (403, "forbidden:document")
    deleted = babbage.http.delete(f"{url}&timestamp=2000-01-01T00:00:00Z")
    assert refusal(deleted) == (403, "forbidden:document")
    assert versions(ada, doc) == created


def test_nobody_without_a_session(ada: User, doc: str) -> None:
    write(ada, doc, "Ada's")
    nobody = httpx.Client(base_url=ada.http.base_url)
    assert nobody.get(f"/api/document?id={doc}").status_code == 401
    nobody.close()


class TestInASharedChat:
    @pytest.fixture
    def chat(self, ada: User) -> str:
        chat = new_id()
        ada.ask("Write an essay about bread", chat=chat, model="mock/documents")
        return chat

    @pytest.fixture
    def written(self, ada: User, chat: str) -> str:
        written: str = calls_of(ada.answer(chat))[0]["output"]["id"]
        write(ada, written, "# The newest")
        return written

    def read(self, user: httpx.Client, written: str, chat: str) -> httpx.Response:
        return user.get("/api/document", params={"id": written, "chatId": chat})

    def share(self, ada: User, chat: str) -> None:
        assert ada.http.patch(f"/api/chat/{chat}", json={"visibility": "public"}).is_success

    def test_a_private_one_is_its_owners(
        self, ada: User, babbage: User, written: str, chat: str
    ) -> None:
        refused = self.read(babbage.http, written, chat)
        assert refusal(refused) == (403, "forbidden:document")
        assert len(self.read(ada.http, written, chat).json()) == 2

    def test_everybody_reads_the_newest_version(
        self, ada: User, babbage: User, gateway: GatewayProcess, written: str, chat: str
    ) -> None:
        self.share(ada, chat)
        for reader in (babbage.http, gateway.visitor()):
            assert [row["content"] for row in self.read(reader, written, chat).json()] == [
                "# The newest"
            ]
        assert len(self.read(ada.http, written, chat).json()) == 2

    def test_and_nothing_else(self, ada: User, babbage: User, written: str, chat: str) -> None:
        self.share(ada, chat)
        assert refusal(write(babbage, written, "Mine")) == (403, "forbidden:document")
        suggestions = babbage.http.get(f"/api/suggestions?documentId={written}")
        assert refusal(suggestions) == (403, "forbidden:suggestions")
        assert babbage.http.get(f"/api/document?id={written}").status_code == 403

    def test_a_chat_shows_only_what_was_written_in_it(
        self, ada: User, babbage: User, doc: str, written: str, chat: str
    ) -> None:
        self.share(ada, chat)
        write(ada, doc, "Never shown")
        assert refusal(self.read(babbage.http, doc, chat)) == (403, "forbidden:document")
        babbage.ask(f"The document {written}", chat=(his := new_id()))
        assert self.read(babbage.http, written, his).status_code == 403

    def test_what_was_edited_away_is_not_shared(
        self, ada: User, babbage: User, written: str, chat: str
    ) -> None:
        first = ada.messages(chat)[0]["id"]
        ada.http.post(f"/api/messages/{first}/truncate?chatId={chat}")
        ada.ask("Something else", chat=chat)
        self.share(ada, chat)
        assert self.read(babbage.http, written, chat).status_code == 403
