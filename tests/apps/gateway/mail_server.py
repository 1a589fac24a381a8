"""A mail server in the test's own process, over real SMTP: what it took, and what it refuses."""

import asyncio
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.apps.gateway.harness import eventually, free_port

USERNAME, PASSWORD = "raylm", "s/e:c@ret"
Encryption = Literal["none", "starttls", "tls"]


class MailServer:
    def __init__(self, certificate: Path | None, encryption: Encryption = "starttls") -> None:
        self.letters: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.refusal: str | None = None
        """What it says to whoever brings a letter."""
        self.is_slow = False
        """It takes no letter for now."""
        self._encryption = encryption
        self._port = free_port()
        self._certificate = certificate

    @property
    def url(self) -> str:
        return self.url_with(PASSWORD)

    def url_with(self, password: str) -> str:
        scheme = "smtps" if self._encryption == "tls" else "smtp"
        query = "?starttls" if self._encryption == "starttls" else ""
        return f"{scheme}://{USERNAME}:{quote(password, safe='')}@localhost:{self._port}{query}"

    def start(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if self._certificate is not None:
            context.load_cert_chain(self._certificate)
        by_starttls = self._encryption == "starttls"
        self._controller = Controller(
            self,
            hostname="localhost",
            port=self._port,
            ssl_context=context if self._encryption == "tls" else None,
            tls_context=context if by_starttls else None,
            require_starttls=by_starttls,
            auth_require_tls=by_starttls,
            auth_required=by_starttls,  # else it may be shown a password, and checks it
            authenticator=self._authenticate,
            ready_timeout=30,
        )
        self._controller.start()

    def stop(self) -> None:
        self._controller.stop()

    @contextmanager
    def away(self) -> Iterator[None]:
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def slow(self) -> Iterator[None]:
        self.is_slow = True
        try:
            yield
        finally:
            self.is_slow = False

    @contextmanager
    def refusing(self, refusal: str) -> Iterator[None]:
        self.refusal = refusal
        try:
            yield
        finally:
            self.refusal = None

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        while self.is_slow:
            await asyncio.sleep(0.02)
        if self.refusal is not None:
            return self.refusal
        assert isinstance(envelope.content, bytes)
        letter = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(letter, EmailMessage)
        self.recipients += envelope.rcpt_tos
        self.letters.append(letter)
        return "250 OK"

    def letters_to(self, email: str) -> list[EmailMessage]:
        return [letter for letter in list(self.letters) if letter["to"] == email]

    def letter(self, email: str, subject: str) -> EmailMessage:
        """The newest one about it, once it is there."""

        def found() -> list[EmailMessage]:
            return [each for each in self.letters_to(email) if subject in each["subject"]]

        letter: EmailMessage = eventually(found, within_s=20)[-1]
        return letter

    def token(self, email: str, subject: str) -> str:
        return link_of(self.letter(email, subject)).partition("#")[2]

    def _authenticate(self, *told: Any) -> AuthResult:
        given = told[-1]
        assert isinstance(given, LoginPassword)
        is_right = (given.login, given.password) == (USERNAME.encode(), PASSWORD.encode())
        return AuthResult(success=is_right, handled=False)


def link_of(letter: EmailMessage) -> str:
    """A letter has one."""
    (link,) = [line for line in letter.get_content().splitlines() if "://" in line]
    return link


def certificate(folder: Path) -> Path:
    """For `localhost`, signed by nobody else, with its key."""
    path = folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(
        [*command, "-keyout", path, "-out", folder / "own.pem"], check=True, capture_output=True
    )
    path.write_bytes(path.read_bytes() + (folder / "own.pem").read_bytes())
    return path


@contextmanager
def mail_server(
    certificate: Path | None, encryption: Encryption = "starttls"
) -> Iterator[MailServer]:
    server = MailServer(certificate, encryption)
    server.start()
    yield server
    server.stop()
