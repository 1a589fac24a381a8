import concurrent.futures
import re

import pytest

from tests.apps.gateway.harness import User, eventually, new_id, parts_of, text_of

pytestmark = pytest.mark.services


def test_a_resumed_stream_is_identical(ada: User, chat: str) -> None:
    with ada.asking("the same bytes", chat=chat) as first:
        first.read_until(b"text-delta", 3)
        with ada.resuming(chat) as second:
            assert second.response.status_code == 200
            second.read_until(b"text-delta", 5)
            ada.http.post(f"/api/chat/{chat}/stop")
            assert second.rest() == first.rest()
    assert first.body.endswith(b"data: [DONE]\n\n")


def test_an_offset_and_an_event_id_give_the_same_rest(ada: User, chat: str) -> None:
    with ada.asking("the same rest", chat=chat) as first:
        first.read_until(b"text-delta", 4)
        events = first.body.split(b"\n\n")
        last_id = re.match(rb"id: (\S+)", events[4])
        assert last_id is not None
        with (
            ada.resuming(chat, "?offset=5") as by_offset,
            ada.resuming(chat, **{"last-event-id": last_id[1].decode()}) as by_id,
        ):
            by_offset.read_until(b"text-delta")
            by_id.read_until(b"text-delta")
            ada.http.post(f"/api/chat/{chat}/stop")
            assert by_offset.rest() == by_id.rest()
        whole = first.rest()
    assert whole.endswith(by_offset.body)
    assert whole.split(b"\n\n")[5:] == by_offset.body.split(b"\n\n")


def test_a_reader_with_a_position_gets_the_rest_of_an_ended_answer(ada: User, chat: str) -> None:
    whole = ada.ask("a b c d e f", chat=chat).content
    late = ada.http.get(f"/api/chat/{chat}/stream?offset=7")
    assert late.status_code == 200
    assert late.content == b"\n\n".join(whole.split(b"\n\n")[7:])
    beyond = len(parts_of(whole))
    assert ada.http.get(f"/api/chat/{chat}/stream?offset={beyond}").status_code == 204


def test_nothing_to_resume(ada: User, chat: str) -> None:
    assert ada.http.get(f"/api/chat/{chat}/stream").status_code == 404
    ada.ask("done", chat=chat)
    assert ada.http.get(f"/api/chat/{chat}/stream").status_code == 204
    assert ada.http.get(f"/api/chat/{chat}/stream?offset=0").status_code == 204


@pytest.mark.parametrize("event_id", ["x", "1", "1-", "-1", "1-2-3", "1" * 50 + "-1", "1-*"])
def test_a_position_that_is_none(ada: User, chat: str, event_id: str) -> None:
    ada.ask("done", chat=chat)
    response = ada.http.get(f"/api/chat/{chat}/stream", headers={"last-event-id": event_id})
    assert response.status_code == 400
    assert response.json()["code"] == "bad_request:stream"


def test_several_readers(ada: User, chat: str) -> None:
    with ada.asking("for all of you", chat=chat) as first:
        first.read_until(b"text-delta")
        with concurrent.futures.ThreadPoolExecutor(5) as threads:
            readers = [threads.submit(ada.http.get, f"/api/chat/{chat}/stream") for _ in range(5)]
            first.read_until(b"text-delta", 8)
            ada.http.post(f"/api/chat/{chat}/stop")
            bodies = {reader.result().content for reader in readers}
        assert bodies == {first.rest()}


def test_stop_keeps_the_partial_answer(ada: User, chat: str) -> None:
    with ada.asking("one two three", chat=chat) as stream:
        stream.read_until(b"text-delta", 3)
        assert ada.http.post(f"/api/chat/{chat}/stop").json() == {"success": True}
        parts = parts_of(stream.rest())
    assert [part["type"] for part in parts[-3:]] == ["text-end", "message-metadata", "abort"]
    answer = ada.answer(chat)
    assert answer["metadata"]["status"] == "stopped"
    assert text_of(answer) == "".join(part.get("delta", "") for part in parts)
    assert text_of(answer).startswith("one two three")


def test_stop_before_the_first_token(ada: User, chat: str) -> None:
    with ada.asking("silence", chat=chat, model="mock/silent") as stream:
        stream.read_until(b"start-step")
        assert ada.http.post(f"/api/chat/{chat}/stop").json() == {"success": True}
        assert parts_of(stream.rest())[-1]["type"] == "abort"
    assert ada.answer(chat)["metadata"]["status"] == "stopped"
    assert text_of(ada.answer(chat)) == ""
    assert ada.ask("and now?", chat=chat).status_code == 200


def test_stop_of_another_answer_stops_nothing(ada: User, chat: str) -> None:
    with ada.asking("not this one", chat=chat) as stream:
        stream.read_until(b"text-delta")
        response = ada.http.post(f"/api/chat/{chat}/stop", json={"messageId": new_id()})
        assert response.json() == {"success": False}
        assert ada.answer(chat)["metadata"]["status"] == "streaming"
        mine = {"messageId": parts_of(stream.body)[0]["messageId"]}
        assert ada.http.post(f"/api/chat/{chat}/stop", json=mine).json() == {"success": True}


def test_stop_where_nothing_is_written(ada: User, chat: str) -> None:
    assert ada.http.post(f"/api/chat/{chat}/stop").status_code == 404
    ada.ask("done", chat=chat)
    assert ada.http.post(f"/api/chat/{chat}/stop").json() == {"success": False}


def test_a_growing_answer_is_stored_before_its_end(ada: User, chat: str) -> None:
    with ada.asking("word by word", chat=chat) as stream:
        stream.read_until(b"text-delta", 4)
        eventually(lambda: text_of(ada.answer(chat)).startswith("word by word"))
        ada.http.post(f"/api/chat/{chat}/stop")
