"""The mail server, as RAYLM_SMTP_URL names it."""

import ipaddress
from dataclasses import dataclass
from typing import Literal, Self
from urllib.parse import unquote, urlsplit

from aiosmtplib import SMTP

from raylm.core.errors import ConfigError

FORMS = "smtp://user:password@host:587?starttls, smtps://user:password@host or smtp://localhost"
TIMEOUT_S = 5.0  # of one step; somebody waits for the first ones
Encryption = Literal["none", "starttls", "tls"]
PORTS: dict[Encryption, int] = {"none": 25, "starttls": 587, "tls": 465}


@dataclass(frozen=True)
class MailServer:
    host: str
    port: int
    encryption: Encryption
    username: str | None = None
    password: str | None = None

    @classmethod
    def parse(cls, url: str) -> Self:
        """Raises ConfigError, without the URL: there is a password somewhere in it."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise ConfigError(f"RAYLM_SMTP_URL names no mail server: write {FORMS}") from None
        encryption = _encryption(parts.scheme, parts.query)
        if encryption is None or not host or parts.path.strip("/"):
            raise ConfigError(f"RAYLM_SMTP_URL names no mail server: write {FORMS}")
        if parts.username and encryption == "none" and not _is_local(host):
            raise ConfigError(
                f"RAYLM_SMTP_URL: the password would go to {host!r} in the clear; "
                "add ?starttls or write smtps://"
            )
        return cls(
            host,
            port or PORTS[encryption],
            encryption,
            unquote(parts.username) if parts.username else None,
            unquote(parts.password) if parts.password else None,
        )

    def connection(self, name: str) -> SMTP:
        """Opened by `async with`. `name` is what it calls itself: nothing is looked up."""
        return SMTP(
            hostname=self.host,
            port=self.port,
            username=self.username,
            password=self.password,
            use_tls=self.encryption == "tls",
            start_tls=self.encryption == "starttls",
            local_hostname=name,
            timeout=TIMEOUT_S,
        )


def _encryption(scheme: str, query: str) -> Encryption | None:
    known: dict[tuple[str, str], Encryption] = {
        ("smtp", ""): "none",
        ("smtp", "starttls"): "starttls",
        ("smtps", ""): "tls",
    }
    return known.get((scheme, query))


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
