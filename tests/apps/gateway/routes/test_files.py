"""Uploads over HTTP: what is kept, who may have it, and how it is handed out."""

import base64
import concurrent.futures
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from raylm_apps.gateway.embedded import StoreUrls
from tests.apps.gateway.files.samples import gif, jpeg, pdf, png, webp
from tests.apps.gateway.harness import (
    GatewayProcess,
    User,
    environment,
    eventually,
    new_id,
    parts_of,
    text_of,
)

pytestmark = pytest.mark.services
SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"


@pytest.fixture(scope="module")
def strict(stores: StoreUrls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway with small limits that tidies up at once."""
    folder = tmp_path_factory.mktemp("strict")
    settings = environment(
        stores,
        folder,
        RAYLM_MAX_FILE_BYTES="100000",
        RAYLM_MAX_FILES_PER_USER="3",
        RAYLM_MAX_FILE_BYTES_PER_USER="150000",
        RAYLM_FILES_SWEEP_EVERY_S="0.2",
        RAYLM_FILES_KEEP_SENT_S="0.1",
        RAYLM_FILES_KEEP_UNSENT_S="4",
    )
    with GatewayProcess(folder / "log", settings) as process:
        yield process


def upload(user: User, name: str, data: bytes, **headers: str) -> httpx.Response:
    form = {"file": (name, data, "application/x-whatever")}
    return user.http.post("/api/files/upload", files=form, headers=headers)


def uploaded(user: User, name: str, data: bytes) -> dict[str, Any]:
    response = upload(user, name, data)
    assert response.status_code == 200, response.text
    view: dict[str, Any] = response.json()
    return view


def file_part(view: dict[str, Any]) -> dict[str, Any]:
    return {"type": "file", **{key: view[key] for key in ("mediaType", "filename", "url")}}


def ask(
    user: User, chat: str, text: str, *parts: dict[str, Any], model: str = "mock/echo", **more: Any
) -> httpx.Response:
    body = user.body(text, chat=chat, model=model, **more)
    body["message"]["parts"] += parts
    if not text:
        del body["message"]["parts"][0]
    return user.http.post("/api/chat", json=body)


def objects(gateway: GatewayProcess) -> list[Path]:
    return [path for path in (gateway.data_dir / "files").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("name", "data", "content_type", "disposition"),
    [
        ("a.png", png(), "image/png", "inline"),
        ("a.jpg", jpeg(), "image/jpeg", "inline"),
        ("a.gif", gif(), "image/gif", "inline"),
        ("a.webp", webp(b"VP8L"), "image/webp", "inline"),
        ("a.pdf", pdf("Hi"), "application/pdf", "attachment"),
        ("a.csv", b"a,b\n1,2", "text/csv; charset=utf-8", "attachment"),
        ("a.svg", SVG, "text/plain; charset=utf-8", "attachment"),
        ("a.png", SVG, "text/plain; charset=utf-8", "attachment"),
        ("a.html", b"<script>alert(1)</script>", "text/plain; charset=utf-8", "attachment"),
    ],
)
def test_a_file_comes_back_safely(
    ada: User, name: str, data: bytes, content_type: str, disposition: str
) -> None:
    view = uploaded(ada, name, data)
    assert (view["pathname"], view["size"]) == (name, len(data))
    got = ada.http.get(view["url"])
    assert (got.status_code, got.content) == (200, data)
    assert got.headers["content-type"] == content_type
    assert got.headers["content-disposition"] == f"{disposition}; filename*=UTF-8''{name}"
    assert got.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["cross-origin-resource-policy"] == "same-origin"
    assert got.headers["cache-control"] == "private, no-cache"
    again = ada.http.get(view["url"], headers={"if-none-match": got.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ('a"; filename="b.html', "a%22; filename=%22b.html"),
        ("über\u202etxt.png", "übertxt.png"),
        ("x" * 900, "x" * 200),
        ("..", ".."),
    ],
)
def test_a_name_is_for_reading_alone(
    ada: User, gateway: GatewayProcess, name: str, shown: str
) -> None:
    before = set(objects(gateway))
    view = uploaded(ada, name, png())
    assert view["pathname"] == shown
    (kept,) = set(objects(gateway)) - before
    assert kept.name.isalnum()
    assert view["id"] not in str(kept)
    assert "\n" not in ada.http.get(view["url"]).headers["content-disposition"]
    assert '"' not in ada.http.get(view["url"]).headers["content-disposition"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"MZ\x90\x00\x03\x00", "the file is not JPEG"),
        (png(65_000, 65_000), "has 65000 x 65000 pixels"),
    ],
)
def test_what_is_refused_says_why(ada: User, data: bytes, reason: str) -> None:
    response = upload(ada, "a.png", data)
    assert (response.status_code, response.json()["code"]) == (400, "bad_request:file")
    assert reason in response.json()["cause"]
    assert reason in response.json()["error"]


def test_forms_that_are_none(ada: User) -> None:
    for response in (
        ada.http.post("/api/files/upload", files={"other": ("a", png())}),
        ada.http.post("/api/files/upload", files={"x": (None, "no file")}),
        ada.http.post("/api/files/upload", files=[("file", ("a", png()))] * 2),
        ada.http.post(
            "/api/files/upload",
            content=b"junk",
            headers={"content-type": "multipart/form-data; boundary=x"},
        ),
        ada.http.post(
            "/api/files/upload", content=b"junk", headers={"content-type": "multipart/form-data"}
        ),
    ):
        assert response.status_code == 400, response.text
        assert response.json()["code"] == "bad_request:file"
        assert response.json()["error"]
    json = ada.http.post("/api/files/upload", json={"file": "a"})
    assert (json.status_code, json.json()["code"]) == (415, "unsupported_media_type:file")
    form = ada.http.post("/api/chat", files={"file": ("a", png())})
    assert (form.status_code, form.json()["code"]) == (415, "unsupported_media_type:api")


def test_uploads_come_from_here_and_from_users(ada: User, gateway: GatewayProcess) -> None:
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        assert upload(ada, "a.png", png(), **headers).status_code == 403
    form = {"file": ("a.png", png())}
    nobody = httpx.post(f"{gateway.base_url}/api/files/upload", files=form)
    assert (nobody.status_code, nobody.json()["code"]) == (401, "unauthorized:chat")


def test_too_large_is_refused_early_and_late(strict: GatewayProcess) -> None:
    eve = strict.user()
    for size in (100_001, 200_000):  # by what came, and by what was announced
        response = upload(eve, "a.txt", b"x" * size)
        assert (response.status_code, response.json()["code"]) == (413, "too_large:file")
        assert "at most" in response.json()["error"]
    silent = b'--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n'
    chunks = iter([silent, *[b"x" * 50_000] * 5, b"\r\n--b--\r\n"])
    response = eve.http.post(
        "/api/files/upload",
        content=chunks,
        headers={"content-type": "multipart/form-data; boundary=b"},
    )
    assert (response.status_code, response.json()["code"]) == (413, "too_large:file")
    assert objects(strict) == []


def test_a_quota_holds_against_a_race(strict: GatewayProcess) -> None:
    eve, other = strict.user(), strict.user()
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        racing = [threads.submit(upload, eve, "a.txt", b"x") for _ in range(8)]
        statuses = sorted(future.result().status_code for future in racing)
    assert statuses == [200] * 3 + [429] * 5
    assert upload(eve, "a.txt", b"x").json()["code"] == "rate_limit:file"
    assert upload(other, "a.txt", b"x" * 90_000).status_code == 200
    assert "exceed 150000 bytes" in upload(other, "b.txt", b"x" * 90_000).json()["error"]


def test_a_private_file_is_its_owners(ada: User, babbage: User, gateway: GatewayProcess) -> None:
    url = uploaded(ada, "a.png", png())["url"]
    assert babbage.http.get(url).status_code == 404
    assert babbage.http.get(url).json()["code"] == "not_found:file"
    assert httpx.get(gateway.base_url + url).status_code == 404
    assert babbage.http.delete(url).status_code == 404
    assert ada.http.get(url).status_code == 200
    assert ada.http.delete(url).json()["url"] == url
    assert ada.http.get(url).status_code == 404


def test_readers_of_a_chat_have_its_files(
    ada: User, babbage: User, gateway: GatewayProcess, chat: str
) -> None:
    view = uploaded(ada, "a.png", png())
    ask(ada, chat, "Look", file_part(view))
    assert babbage.http.get(view["url"]).status_code == 404
    ada.http.patch(f"/api/chat/{chat}", json={"visibility": "public"})
    assert babbage.http.get(view["url"]).content == png()
    assert babbage.http.delete(view["url"]).status_code == 404
    assert httpx.get(gateway.base_url + view["url"]).status_code == 200  # nobody, like the chat
    ada.http.patch(f"/api/chat/{chat}", json={"visibility": "private"})
    assert babbage.http.get(view["url"]).status_code == 404


def test_a_file_of_a_branch_that_was_left_is_not_shared(
    ada: User, babbage: User, chat: str
) -> None:
    ask(ada, chat, "Hello")
    old, new = (uploaded(ada, name, name.encode()) for name in ("old.txt", "new.txt"))
    ask(ada, chat, "Look", file_part(old), message_id="question-2")
    ask(ada, chat, "Thanks", file_part(new))
    ada.http.patch(f"/api/chat/{chat}", json={"visibility": "public"})

    def seen_by(user: User) -> list[int]:
        return [user.http.get(view["url"]).status_code for view in (old, new)]

    assert seen_by(babbage) == [200, 200]
    ask(ada, chat, "Look again", message_id="question-2")
    assert seen_by(babbage) == [404, 404]
    assert seen_by(ada) == [200, 200]
    edited = next(m for m in ada.messages(chat) if text_of(m) == "Look again")
    first = edited["metadata"]["siblings"][0]
    ada.http.post(f"/api/chat/{chat}/branch", json={"messageId": first})
    assert seen_by(babbage) == [200, 200]
    ada.http.post(f"/api/messages/{first}/truncate?chatId={chat}")
    assert seen_by(babbage) == [404, 404]


def test_a_question_keeps_its_files(ada: User, chat: str) -> None:
    view = uploaded(ada, "notes.md", b"# Remember\nthe milk")
    renamed = {**file_part(view), "filename": "liar.exe", "mediaType": "text/html"}
    assert ask(ada, chat, "What is there?", renamed).status_code == 200
    question, answer = ada.messages(chat)
    assert question["parts"] == [{"type": "text", "text": "What is there?"}, file_part(view)]
    assert text_of(answer) == (
        '<file name="notes.md">\n# Remember\nthe milk\n</file>\n\nWhat is there?'
    )


def test_the_text_of_a_pdf_reaches_the_model(ada: User, chat: str) -> None:
    part = file_part(uploaded(ada, "a.pdf", pdf("Once upon a time")))
    ask(ada, chat, "Sum up", {**part, "name": part.pop("filename")})  # the template's spelling
    assert "Once upon a time" in text_of(ada.answer(chat))
    ask(ada, chat, "And again")
    assert text_of(ada.answer(chat)) == "And again"  # the echo repeats the last turn alone


def test_images_are_for_models_that_see(ada: User, chat: str) -> None:
    part = file_part(uploaded(ada, "dot.png", png()))
    ask(ada, chat, "Look", part)
    assert text_of(ada.answer(chat)) == ("[image dot.png: this model cannot see images]\n\nLook")
    ask(ada, chat, "Look", part, model="mock/vision")
    size = len(png())
    assert text_of(ada.answer(chat)) == f"I see image/png of {size} bytes. Look"
    capabilities = ada.http.get("/api/models").json()["capabilities"]
    assert capabilities["mock/vision"]["vision"] is True
    assert capabilities["mock/echo"]["vision"] is False


def test_a_picture_needs_no_word(ada: User, chat: str) -> None:
    part = file_part(uploaded(ada, "dot.png", png()))
    assert ask(ada, chat, "", part, model="mock/vision").status_code == 200
    assert ada.http.get(f"/api/messages?chatId={chat}").json()["title"] == "dot.png"


def data_url(data: bytes, media_type: str = "image/png") -> dict[str, Any]:
    encoded = base64.b64encode(data).decode()
    url = f"data:{media_type};base64,{encoded}"
    return {"type": "file", "mediaType": media_type, "filename": "dot.png", "url": url}


def test_data_becomes_an_upload_once(ada: User, babbage: User, chat: str) -> None:
    """A stock client sends what was dropped on it as data, and may send it again."""
    body = ada.body("Look", chat=chat, model="mock/vision", message_id="question-1")
    body["message"]["parts"].append(data_url(png()))
    with concurrent.futures.ThreadPoolExecutor(5) as threads:
        posts = [threads.submit(ada.http.post, "/api/chat", json=body) for _ in range(5)]
        starts = [parts_of(post.result().content)[0] for post in posts]
    assert len({start["messageId"] for start in starts}) == 1
    question, answer = ada.messages(chat)
    (part,) = [part for part in question["parts"] if part["type"] == "file"]
    assert part["url"].startswith("/api/files/")
    assert ada.http.get(part["url"]).content == png()
    assert babbage.http.get(part["url"]).status_code == 404
    assert "I see image/png" in text_of(answer)


def test_data_is_looked_at_like_an_upload(ada: User, chat: str) -> None:
    ask(ada, chat, "Look", data_url(SVG, "image/svg+xml"))
    part = ada.messages(chat)[0]["parts"][1]
    assert part["mediaType"] == "text/plain"
    for url in ("data:image/png;base64,!!!", "data:,hello", "data:image/png;base64"):
        refused = ask(ada, chat, "Look", {**data_url(b""), "url": url})
        assert (refused.status_code, refused.json()["code"]) == (400, "bad_request:api")
    bomb = ask(ada, chat, "Look", data_url(png(65_000, 65_000)))
    assert (bomb.status_code, bomb.json()["code"]) == (400, "bad_request:file")
    assert ask(ada, chat, "Look", data_url(b"x" * 1_000_000)).status_code == 413


def test_no_address_is_ever_fetched(ada: User, babbage: User, chat: str) -> None:
    """Private, link-local, rebound: whatever a name resolves to, nobody asks for it."""
    strangers = uploaded(babbage, "a.png", png())["url"]
    own = uploaded(ada, "a.png", png())["url"]
    for url in (
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1:6379/",
        "http://[::1]/",
        "http://rebound.example/a.png",
        "https://example.com/a.png",
        "file:///etc/passwd",
        f"http://evil.example{own}",
        f"//evil.example{own}",
        f"{own}?x=1",
        f"{own}/../../auth/session",
        "/api/files/" + "0" * 32,
        strangers,
        "",
    ):
        part = {"type": "file", "mediaType": "image/png", "filename": "a", "url": url}
        refused = ask(ada, chat, "Look", part)
        assert (refused.status_code, refused.json()["code"]) == (400, "bad_request:api"), url
    assert ada.messages(chat) == []


def test_a_message_has_few_files(ada: User, chat: str) -> None:
    part = file_part(uploaded(ada, "a.png", png()))
    refused = ask(ada, chat, "Look", *[part] * 9)
    assert (refused.status_code, refused.json()["cause"]) == (
        400,
        "the message has 9 files; at most 8",
    )


def test_a_deleted_file_leaves_its_name(ada: User, chat: str) -> None:
    view = uploaded(ada, "notes.md", b"gone")
    ask(ada, chat, "Keep this", file_part(view), message_id="question-1")
    ada.http.delete(view["url"])
    assert ask(ada, chat, "Keep this", file_part(view)).status_code == 400
    again = ada.body("Keep this", chat=chat, message_id="question-1", trigger="regenerate-message")
    again["messages"] = [again.pop("message")]
    ada.http.post("/api/chat", json=again)
    assert text_of(ada.answer(chat)) == "[file notes.md: deleted]\n\nKeep this"


def test_a_deleted_chat_takes_its_files_along(strict: GatewayProcess) -> None:
    eve, first, second = strict.user(), new_id(), new_id()
    before = set(objects(strict))
    view = uploaded(eve, "a.png", png())
    (kept,) = set(objects(strict)) - before
    for chat in (first, second):
        ask(eve, chat, "Look", file_part(view))
    eve.http.delete(f"/api/chat?id={first}")
    eventually(lambda: not eve.http.get(f"/api/messages?chatId={first}").json()["messages"])
    assert eve.http.get(view["url"]).status_code == 200  # the second chat has it still
    eve.http.delete("/api/history")
    eventually(lambda: eve.http.get(view["url"]).status_code == 404)
    eventually(lambda: not kept.exists())


def test_what_is_never_sent_goes(strict: GatewayProcess) -> None:
    eve, chat = strict.user(), new_id()
    sent = uploaded(eve, "sent.png", png())
    ask(eve, chat, "Look", file_part(sent))
    before = set(objects(strict))
    unsent = uploaded(eve, "unsent.png", png())
    (kept,) = set(objects(strict)) - before
    eventually(lambda: eve.http.get(unsent["url"]).status_code == 404, within_s=20)
    assert eve.http.get(sent["url"]).status_code == 200
    eventually(lambda: not kept.exists())


def test_what_a_model_draws_stays_as_long_as_its_chat(strict: GatewayProcess) -> None:
    eve, chat = strict.user(), new_id()
    before = set(objects(strict))
    ask(eve, chat, "A dot, please.", model="mock/picture")
    url = eve.answer(chat)["parts"][-1]["url"]
    (kept,) = set(objects(strict)) - before
    unsent = uploaded(eve, "unsent.png", png())
    eventually(lambda: eve.http.get(unsent["url"]).status_code == 404, within_s=20)
    assert eve.http.get(url).status_code == 200
    eve.http.delete(f"/api/chat?id={chat}")
    eventually(lambda: eve.http.get(url).status_code == 404)
    eventually(lambda: not kept.exists())


def test_what_a_model_draws_counts_and_may_be_too_much(strict: GatewayProcess) -> None:
    eve, chat = strict.user(), new_id()
    for _ in range(4):
        assert ask(eve, chat, "A dot, please.", model="mock/picture").status_code == 200
    answers = [m for m in eve.messages(chat) if m["role"] == "assistant"]
    assert [answer["parts"][-1]["type"] for answer in answers] == ["file"] * 3 + ["data-notice"]
    assert "could not be kept" in answers[-1]["parts"][-1]["data"]["text"]
    assert answers[-1]["metadata"]["status"] == "complete"
