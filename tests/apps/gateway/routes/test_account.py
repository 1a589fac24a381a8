import io
import json
from pathlib import Path
from zipfile import ZipFile

import psutil
import pytest

from raylm_apps.gateway.embedded import StoreUrls
from tests.apps.gateway.files.samples import png
from tests.apps.gateway.harness import (
    GatewayProcess,
    User,
    environment,
    new_id,
    parts_of,
    text_of,
)

pytestmark = pytest.mark.services


def test_everything_of_one_user_is_exported(ada: User, babbage: User, chat: str) -> None:
    babbage.ask("His secret", chat=new_id())
    for number in range(3):
        ada.ask(f"Question {number}", chat=chat, message_id="question-1")
    for _ in range(22):
        ada.ask("More", chat=new_id())
    body = {"chatId": chat, "messageId": ada.answer(chat)["id"], "type": "up"}
    ada.http.patch("/api/vote", json=body)
    ada.http.post("/api/folders", json={"name": "Rivers"})
    email = ada.register()
    ada.http.post("/api/teams", json={"name": "Engines"})
    key = ada.http.post("/api/keys", json={"name": "laptop"}).json()["key"]
    response = ada.http.get("/api/account/export")
    assert "attachment" in response.headers["content-disposition"]
    told = json.loads(response.content)
    assert [user["email"] for user in told["users"]] == [email]
    assert [folder["name"] for folder in told["folders"]] == ["Rivers"]
    assert [team["name"] for team in told["teams"]] == ["Engines"]
    assert told["ledger"][0]["requests"] == 25
    assert len(told["chats"]) == 23
    forked = next(one for one in told["chats"] if one["id"] == chat)
    questions = [text_of(one) for one in forked["messages"] if one["role"] == "user"]
    assert questions == ["Question 0", "Question 1", "Question 2"]
    assert len(forked["votes"]) == 1
    assert "His secret" not in response.text
    assert len(told["sessions"]) == 1
    assert [key["name"] for key in told["api_keys"]] == ["laptop"]
    assert key not in response.text
    assert ada.token not in response.text
    assert "hash" not in response.text


def upload(user: User, name: str, data: bytes) -> str:
    response = user.http.post("/api/files/upload", files={"file": (name, data)})
    assert response.status_code == 200, response.text
    file_id: str = response.json()["id"]
    return file_id


def archive_of(user: User) -> ZipFile:
    response = user.http.get("/api/account/export?format=zip")
    assert response.headers["content-type"] == "application/zip"
    assert response.headers["content-disposition"].endswith('.zip"')
    archive = ZipFile(io.BytesIO(response.content))
    assert archive.testzip() is None
    return archive


def test_an_archive_has_the_document_and_the_files(ada: User, babbage: User, chat: str) -> None:
    ada.ask("Mine", chat=chat)
    upload(babbage, "his.txt", b"His secret")
    empty = archive_of(babbage).namelist()
    contents = {"notes.txt": b"The Rhine", "dot.png": png(), "notes (2).txt": b"The Elbe"}
    ids = {name: upload(ada, name, data) for name, data in contents.items()}
    archive = archive_of(ada)
    told = json.loads(archive.read("raylm-export.json"))
    assert told == ada.http.get("/api/account/export").json()
    assert {file["id"] for file in told["files"]} == set(ids.values())
    assert len(empty) == 2
    assert set(archive.namelist()) == {
        "raylm-export.json",
        *(f"files/{file_id}-{name}" for name, file_id in ids.items()),
    }
    for name, data in contents.items():
        assert archive.read(f"files/{ids[name]}-{name}") == data


def test_a_name_is_one_wherever_it_is_unpacked(ada: User) -> None:
    names = ["a<b>:c|?*.txt", "ü" * 190 + ".txt", "..", "x. "]
    ids = [upload(ada, name, b"text") for name in names]
    found = sorted(archive_of(ada).namelist()[1:], key=lambda name: ids.index(name[6:38]))
    assert found[0] == f"files/{ids[0]}-a_b__c___.txt"
    assert all(len(name.removeprefix("files/").encode()) <= 255 for name in found)
    assert found[1].endswith("ü.txt")
    assert found[2] == f"files/{ids[2]}-"
    assert found[3] == f"files/{ids[3]}-x"


def test_a_file_that_is_lost_is_told(ada: User, gateway: GatewayProcess) -> None:
    kept, lost = (
        upload(ada, "kept.txt", b"kept"),
        upload(ada, "lost.txt", b"lost " + ada.id.encode()),
    )
    (path,) = [
        path
        for path in (gateway.data_dir / "files").rglob("*")
        if path.is_file() and path.read_bytes() == b"lost " + ada.id.encode()
    ]
    path.unlink()
    archive = archive_of(ada)
    assert archive.read(f"files/{kept}-kept.txt") == b"kept"
    assert f"{lost} lost.txt" in archive.read("missing.txt").decode()
    assert len(archive.namelist()) == 3


def test_an_archive_grows_on_its_way_and_not_in_memory(ada: User, gateway: GatewayProcess) -> None:
    process = psutil.Process(gateway.process.pid)
    for number in range(16):
        upload(ada, f"{number}.txt", b"%x" % number * 8_000_000)
    for _ in range(2):  # the first export loads what the second has
        before, peak, received = process.memory_info().rss, 0, 0
        with ada.http.stream("GET", "/api/account/export?format=zip") as response:
            for piece in response.iter_bytes():
                received += len(piece)
                peak = max(peak, process.memory_info().rss)
    assert received > 128_000_000
    assert peak - before < 48_000_000


def test_an_unknown_format_is_named(ada: User) -> None:
    refused = ada.http.get("/api/account/export?format=tar")
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_request:api")
    assert "format" in refused.json()["cause"]


def test_nothing_is_left_of_a_deleted_account(ada: User, babbage: User, chat: str) -> None:
    email = ada.register()
    key = ada.http.post("/api/keys", json={"name": "laptop"}).json()["key"]
    ada.http.post("/api/folders", json={"name": "Rivers"})
    ada.http.post("/api/teams", json={"name": "Engines"})
    babbage.ask("Stay", chat=(his := new_id()))
    cookie = ada.cookie
    with ada.asking("go on and on", chat=chat, model="mock/slow") as stream:
        stream.read_until(b"text-delta")
        assert ada.http.delete("/api/account").json() == {"success": True}
        assert parts_of(stream.rest())[-1]["type"] == "abort"
    assert ada.http.get("/api/history").status_code == 401
    for headers in ({"cookie": cookie}, {"authorization": f"Bearer {key}"}):
        assert ada.http.get("/api/account/export", headers=headers).status_code == 401
        assert ada.http.get(f"/api/chat/{chat}/stream", headers=headers).status_code == 401
        assert ada.http.post("/api/chat", json=ada.body("I", chat=chat), headers=headers).is_error
    assert ada.log_in(email).status_code == 401
    assert ada.messages(chat) == []  # as of a chat that never was
    assert len(babbage.messages(his)) == 2


def test_a_guests_data_is_deleted_too(ada: User, chat: str) -> None:
    ada.ask("Gone soon", chat=chat)
    headers = {"cookie": ada.cookie}
    assert ada.http.delete("/api/account").json() == {"success": True}
    told = ada.http.get("/api/account/export", headers=headers).json()
    assert all(rows == [] for rows in told.values())


def test_a_program_does_not_delete_the_account(
    ada: User, gateway: GatewayProcess, chat: str
) -> None:
    ada.ask("Stay", chat=chat)
    ada.register()
    key = ada.http.post("/api/keys", json={"name": "laptop"}).json()["key"]
    program = gateway.visitor()
    refused = program.delete("/api/account", headers={"authorization": f"Bearer {key}"})
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden:auth")
    assert len(ada.messages(chat)) == 2


def test_a_process_that_has_not_heard_of_the_deletion_keeps_nothing(
    ada: User, stores: StoreUrls, tmp_path: Path, chat: str
) -> None:
    ada.register()
    with GatewayProcess(tmp_path / "log", environment(stores, tmp_path)) as other:
        there = other.visitor(cookie=ada.token)
        there.get("/api/history").raise_for_status()
        body = ada.body("A ghost", chat=chat)
        ada.http.delete("/api/account")
        for path, content in (("/api/chat", body), ("/api/folders", {"name": "Ghosts"})):
            refused = there.post(path, json=content)
            assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized:chat")
