"""Letters over real SMTP: each encryption, and each way in which a server may fail."""

import asyncio
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import LogCapture

from raylm.core.errors import ConfigError
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.mail import outbox
from raylm_apps.gateway.mail.letters import Letter, letter
from raylm_apps.gateway.mail.outbox import Outbox, Postage
from raylm_apps.gateway.mail.server import MailServer
from raylm_apps.gateway.settings import Settings
from tests.apps.gateway.harness import free_port, new_email
from tests.apps.gateway.mail_server import Encryption, link_of, mail_server
from tests.apps.gateway.mail_server import MailServer as Server


@pytest.fixture
def outages() -> list[str]:
    return []


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[MutableMapping[str, Any]]:
    capture = LogCapture()
    monkeypatch.setattr(outbox, "logger", structlog.wrap_logger(None, processors=[capture]))
    return capture.entries


def outbox_to(url: str, outages: list[str]) -> Outbox:
    postage = Postage(MailServer.parse(url), "RayLM <me@chat.example>", "https://chat.example")
    return Outbox(postage, lambda: outages.append("mail"))


@pytest.fixture
def trusted(mail_certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(mail_certificate))


@pytest.fixture(params=["none", "starttls", "tls"])
def server(request: pytest.FixtureRequest, mail_certificate: Path) -> Iterator[Server]:
    encryption: Encryption = request.param
    with mail_server(mail_certificate, encryption) as running:
        yield running


def writing(email: str) -> Letter:
    return letter("reset", email, "https://chat.example/", "token")


@pytest.mark.usefixtures("trusted")
async def test_a_letter_arrives(server: Server, outages: list[str]) -> None:
    email, box = new_email(), outbox_to(server.url, outages)

    async def write() -> Letter:
        return writing(email)

    await box.send(write)
    await box.close()
    (arrived,) = server.letters
    assert server.recipients == [email]
    assert (arrived["to"], arrived["from"]) == (email, "RayLM <me@chat.example>")
    assert arrived["message-id"].endswith("@chat.example>")
    assert arrived.get_content_type() == "text/plain"
    assert "RayLM" in arrived.get_content()
    assert link_of(arrived) == "https://chat.example/reset-password#token"
    assert outages == []


@pytest.mark.usefixtures("trusted")
async def test_nothing_to_write_is_no_letter(mail: Server, outages: list[str]) -> None:
    before, box = len(mail.letters), outbox_to(mail.url, outages)

    async def write() -> None:
        return None

    await box.send(write)
    await box.close()
    assert (len(mail.letters), outages) == (before, [])


async def never() -> None:
    raise AssertionError("nobody listens, and yet a letter is written")


@pytest.mark.parametrize("wrong", ["port", "password", "certificate"])
async def test_a_server_that_cannot_be_used_is_told_before_anything_is_written(
    mail: Server,
    outages: list[str],
    mail_certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
    wrong: str,
) -> None:
    if wrong != "certificate":
        monkeypatch.setenv("SSL_CERT_FILE", str(mail_certificate))
    url = mail.url_with("guess") if wrong == "password" else mail.url
    box = outbox_to(f"smtp://localhost:{free_port()}" if wrong == "port" else url, outages)
    with pytest.raises(ApiError) as refused:
        await box.send(never)
    assert (refused.value.code, refused.value.status) == ("offline:mail", 503)
    await box.close()
    assert outages == ["mail"]


@pytest.mark.usefixtures("trusted")
async def test_a_refused_letter_is_the_operators_to_know(
    mail: Server, outages: list[str], said: list[MutableMapping[str, Any]]
) -> None:
    email, box = new_email(), outbox_to(mail.url, outages)

    async def write() -> Letter:
        return writing(email)

    with mail.refusing(f"550 no such box as {email}"):
        await box.send(write)
        await box.close()
    (line,) = said
    assert (line["log_level"], line["code"]) == ("error", 550)
    assert "RAYLM_SMTP_URL" in line["event"]
    assert email not in str(line)
    assert outages == ["mail"]


async def test_without_a_server_the_log_has_the_remedy(
    said: list[MutableMapping[str, Any]],
) -> None:
    with pytest.raises(ApiError) as refused:
        await Outbox(None, lambda: None).send(never)
    assert refused.value.code == "not_found:mail"
    assert "set RAYLM_SMTP_URL" in said[0]["event"]


@pytest.mark.usefixtures("trusted")
async def test_a_slow_server_holds_so_many_letters_and_no_more(
    mail: Server, outages: list[str]
) -> None:
    box = outbox_to(mail.url, outages)
    go_on = asyncio.Event()

    async def write() -> None:
        await go_on.wait()

    tried = await asyncio.gather(*(box.send(write) for _ in range(70)), return_exceptions=True)
    refused = [error.code for error in tried if isinstance(error, ApiError)]
    assert refused == ["rate_limit:auth"] * 6
    go_on.set()
    await box.close()


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ({"mail_from": None}, "RAYLM_MAIL_FROM None"),
        ({"mail_from": "nobody"}, "RAYLM_MAIL_FROM 'nobody'"),
        ({"public_url": None}, "RAYLM_PUBLIC_URL None"),
        ({"public_url": "chat.example"}, "RAYLM_PUBLIC_URL 'chat.example'"),
    ],
)
def test_what_mail_needs_is_named_at_the_start(missing: dict[str, str | None], named: str) -> None:
    whole = {
        "smtp_url": "smtp://localhost",
        "mail_from": "me@chat.example",
        "public_url": "https://chat.example",
    }
    assert Postage.of(Settings.model_validate(whole)) is not None
    with pytest.raises(ConfigError, match=named):
        Postage.of(Settings.model_validate(whole | missing))
    assert Postage.of(Settings.model_validate(missing)) is None
