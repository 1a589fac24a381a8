"""Letters on their way, each in a task of its own that outlives the request it came from."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import parseaddr
from urllib.parse import urlsplit

import structlog
from aiosmtplib import SMTPException, SMTPResponseException

from raylm.core.errors import ConfigError, StoreError
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.mail.letters import Letter
from raylm_apps.gateway.mail.server import MailServer
from raylm_apps.gateway.settings import Settings

MOST_UNSENT = 64
FLUSH_S = 5.0
Writer = Callable[[], Awaitable[Letter | None]]
logger = structlog.get_logger()


@dataclass(frozen=True)
class Postage:
    """Where letters go out, whom they are from, and where their links lead."""

    server: MailServer
    sender: str
    base_url: str

    @classmethod
    def of(cls, settings: Settings) -> "Postage | None":
        """Raises ConfigError."""
        if settings.smtp_url is None:
            return None
        server = MailServer.parse(settings.smtp_url.get_secret_value())
        if "@" not in parseaddr(settings.mail_from or "")[1]:
            raise ConfigError(
                f"RAYLM_MAIL_FROM {settings.mail_from!r}: mail needs a sender, "
                "e.g. RayLM <no-reply@chat.example>"
            )
        url = urlsplit(settings.public_url or "")
        if settings.public_url is None or url.scheme not in ("http", "https") or not url.hostname:
            raise ConfigError(
                f"RAYLM_PUBLIC_URL {settings.public_url!r}: links in mails need the address of "
                "this server, e.g. https://chat.example"
            )
        return cls(server, settings.mail_from or "", settings.public_url)

    @property
    def domain(self) -> str:
        return parseaddr(self.sender)[1].rpartition("@")[2]


class Outbox:
    def __init__(self, postage: Postage | None, on_outage: Callable[[], None]) -> None:
        self._postage = postage
        self._on_outage = on_outage
        self._unsent: set[asyncio.Task[None]] = set()

    @property
    def is_open(self) -> bool:
        return self._postage is not None

    @property
    def base_url(self) -> str:
        return self._postage.base_url if self._postage else ""

    async def send(self, write: Writer) -> None:
        """Back as soon as the mail server listens. Whether there is anything to write, and to whom,
        turns out behind whoever asked, who learns nothing of it.

        Raises not_found where no mail is sent, offline, and rate_limit.
        """
        if self._postage is None:
            logger.error("no mail is sent: set RAYLM_SMTP_URL, RAYLM_MAIL_FROM, RAYLM_PUBLIC_URL")
            raise ApiError("not_found:mail")
        if len(self._unsent) >= MOST_UNSENT:
            raise ApiError("rate_limit:auth", "too many mails at once", retry_after_s=1)
        if not await self.begin(write):
            raise ApiError("offline:mail")

    def begin(self, write: Writer) -> asyncio.Future[bool]:
        """Tells whether the mail server listens, to whom it concerns."""
        assert self._postage is not None
        listens: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._deliver(self._postage, write, listens))
        self._unsent.add(task)
        task.add_done_callback(self._unsent.discard)
        return listens

    async def close(self) -> None:
        if self._unsent:
            _, late = await asyncio.wait(self._unsent, timeout=FLUSH_S)
            for task in late:
                task.cancel()

    async def _deliver(
        self, postage: Postage, write: Writer, listens: asyncio.Future[bool]
    ) -> None:
        try:
            async with postage.server.connection(postage.domain) as connection:
                _tell(listens, True)
                letter = await write()
                if letter is not None:
                    await connection.send_message(letter.message(postage.sender, postage.domain))
        except (SMTPException, OSError, StoreError) as error:
            self._on_outage()
            logger.error("a mail was not sent: see RAYLM_SMTP_URL", **_reason(error))
        finally:
            _tell(listens, False)


def _tell(listens: asyncio.Future[bool], answer: bool) -> None:
    if not listens.done():
        listens.set_result(answer)


def _reason(error: Exception) -> dict[str, object]:
    """Servers quote whose mail they refuse; a log says what kind of refusal it was."""
    kind = type(error).__name__
    if isinstance(error, SMTPResponseException):
        return {"error": kind, "code": error.code}
    return {"error": kind, "reason": str(error) if isinstance(error, OSError) else None}
