"""What the gateway's tests share: users, streams being read, gateways as processes."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from raylm_apps.gateway.embedded import StoreUrls

START_TIMEOUT_S = 60.0
# Read once: the machine's certificates take 30 ms a client, and no gateway here speaks TLS.
CERTIFICATES = httpx.create_ssl_context()
PASSWORD = "correct horse battery"


class User:
    """A guest's browser."""

    def __init__(self, base_url: str) -> None:
        self.http = httpx.Client(base_url=base_url, timeout=30, verify=CERTIFICATES)
        self.id = self.http.post("/api/auth/guest").json()["user"]["id"]

    def register(self, email: str | None = None, password: str = PASSWORD) -> str:
        """Become an account; returns its address."""
        email = email or new_email()
        answer = self.http.post("/api/auth/register", json={"email": email, "password": password})
        assert answer.status_code == 200, answer.text
        self.id = answer.json()["user"]["id"]
        return email

    def log_in(self, email: str, password: str = PASSWORD) -> httpx.Response:
        return self.http.post("/api/auth/login", json={"email": email, "password": password})

    @property
    def kind(self) -> str | None:
        """guest, regular, admin; None for nobody."""
        user = self.http.get("/api/auth/session").json()["user"]
        return user["type"] if user else None

    @property
    def token(self) -> str:
        return self.http.cookies["raylm_session"]

    @property
    def cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.http.cookies.items())

    def body(
        self, text: str, *, chat: str, model: str = "mock/echo", **more: Any
    ) -> dict[str, Any]:
        message = {
            "id": more.pop("message_id", None) or new_id(),
            "role": "user",
            "parts": [{"type": "text", "text": text}],
        }
        return {
            "id": chat,
            "message": message,
            "selectedChatModel": model,
            "selectedVisibilityType": "private",
            **more,
        }

    def ask(self, text: str, *, chat: str, model: str = "mock/echo", **more: Any) -> httpx.Response:
        return self.http.post("/api/chat", json=self.body(text, chat=chat, model=model, **more))

    def asking(self, text: str, *, chat: str, model: str = "mock/slow", **more: Any) -> "Stream":
        body = self.body(text, chat=chat, model=model, **more)
        return Stream(self.http.stream("POST", "/api/chat", json=body))

    def decision(self, chat: str, answer: dict[str, Any], **approval: Any) -> dict[str, Any]:
        """What a stock client posts when its user has allowed or denied every call that waits."""
        parts = [
            {**part, "state": "approval-responded", "approval": {**part["approval"], **approval}}
            if part.get("state") == "approval-requested"
            else part
            for part in answer["parts"]
        ]
        messages = [{**answer, "parts": parts}]
        return {"id": chat, "messages": messages, "trigger": "submit-message"}

    def decide(self, chat: str, answer: dict[str, Any], **approval: Any) -> httpx.Response:
        return self.http.post("/api/chat", json=self.decision(chat, answer, **approval))

    def following(self, body: dict[str, Any]) -> "Stream":
        return Stream(self.http.stream("POST", "/api/chat", json=body))

    def resuming(self, chat: str, query: str = "", **headers: str) -> "Stream":
        return Stream(self.http.stream("GET", f"/api/chat/{chat}/stream{query}", headers=headers))

    def messages(self, chat: str) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = self.http.get(f"/api/messages?chatId={chat}").json()[
            "messages"
        ]
        return messages

    def has_tool(self, name: str) -> bool:
        """Told by what a call with wrong arguments is refused for."""
        chat = new_id()
        self.ask(f"{name}([])", chat=chat, model="mock/tools")
        return "There is no tool" not in calls_of(self.answer(chat))[0]["errorText"]

    def answer(self, chat: str) -> dict[str, Any]:
        return self.messages(chat)[-1]


class Stream:
    """A response being read: `read_until` some bytes have come, `rest` to the end."""

    def __init__(self, opening: Any) -> None:
        self._opening = opening
        self.body = b""

    def __enter__(self) -> "Stream":
        self.response: httpx.Response = self._opening.__enter__()
        self._chunks = self.response.iter_bytes()
        return self

    def __exit__(self, *error: object) -> None:
        self._opening.__exit__(*error)

    def read_until(self, wanted: bytes, count: int = 1) -> bytes:
        while self.body.count(wanted) < count:
            self.body += next(self._chunks)
        return self.body

    def rest(self) -> bytes:
        self.body += b"".join(self._chunks)
        return self.body


class GatewayProcess:
    def __init__(self, log: Path, environment: dict[str, str]) -> None:
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self._log = log
        self._environment = environment
        self.data_dir = Path(environment["RAYLM_DATA_DIR"])
        self._users: list[User] = []
        self._visitors: list[httpx.Client] = []

    def start(self) -> "GatewayProcess":
        command = [sys.executable, "-m", "uvicorn", "--factory", "--port", str(self.port)]
        # a connection that is closed for being idle as a test uses it again would be a failure
        command += ["--timeout-keep-alive", "300"]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "raylm_apps.gateway.main:create_app"],
                env={**os.environ, **self._environment},
                stdout=log,
                stderr=log,
            )
        eventually(self._is_alive, within_s=START_TIMEOUT_S, what=self._log.read_text)
        return self

    def __enter__(self) -> "GatewayProcess":
        return self.start()

    def __exit__(self, *error: object) -> None:
        for user in self._users:
            user.http.close()
        for visitor in self._visitors:
            visitor.close()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=30)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def said(self) -> str:
        return self._log.read_text()

    def visitor(self, *, cookie: str | None = None) -> httpx.Client:
        """A browser without a session, or with somebody's."""
        cookies = {"raylm_session": cookie} if cookie else {}
        client = httpx.Client(
            base_url=self.base_url, timeout=30, cookies=cookies, verify=CERTIFICATES
        )
        self._visitors.append(client)
        return client

    def user(self) -> User:
        self._users.append(User(self.base_url))
        return self._users[-1]

    def _is_alive(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(self._log.read_text())
        try:
            return httpx.get(f"{self.base_url}/health/live", verify=CERTIFICATES).is_success
        except httpx.TransportError:
            return False


def environment(urls: StoreUrls, data_dir: Path, **more: str) -> dict[str, str]:
    return {
        "RAYLM_DATABASE_URL": urls.database_url,
        "RAYLM_REDIS_URL": urls.redis_url,
        "RAYLM_DATA_DIR": str(data_dir),
        "RAYLM_MOCK_PROVIDER": "1",
        "RAYLM_LEASE_S": "1",
        "RAYLM_CHECKPOINT_EVERY_S": "0.2",
        "RAYLM_GUESTS_PER_HOUR_FROM_ADDRESS": "100000",  # all of them come from one machine
        "RAYLM_REGISTRATIONS_PER_HOUR_FROM_ADDRESS": "100000",
        "RAYLM_LOGINS_FROM_ADDRESS": "100000",
        "RAYLM_MAILS_PER_HOUR_FROM_ADDRESS": "100000",
        "RAYLM_MESSAGES_PER_HOUR_FROM_ADDRESS": "100000",
        "RAYLM_GUEST_MESSAGES_PER_HOUR": "100000",
        **more,
    }


@contextmanager
def disk_of(size: str, folder: Path) -> Iterator[Path]:
    """A file system of its own, so small that it can be full."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder]
    if subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("mounting a small file system needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def new_id() -> str:
    return str(uuid.uuid4())


def new_email() -> str:
    return f"ada-{uuid.uuid4().hex}@example.com"


def parts_of(body: bytes) -> list[dict[str, Any]]:
    """The parts of an SSE body, without `[DONE]`."""
    lines = [line[6:] for line in body.decode().splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def text_of(message: dict[str, Any]) -> str:
    return "".join(part["text"] for part in message["parts"] if part["type"] == "text")


def calls_of(message: dict[str, Any]) -> list[dict[str, Any]]:
    return [part for part in message["parts"] if part["type"].startswith("tool-")]


def eventually(
    condition: Callable[[], Any], *, within_s: float = 10.0, what: Callable[[], str] = str
) -> Any:
    deadline = time.monotonic() + within_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s} s: {what()}")
        time.sleep(0.05)
    return value
