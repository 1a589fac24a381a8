"""The letters: plain text, one link each, whose secret stands where no server or log sees it."""

from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from raylm_apps.gateway.store.proofs import Purpose

PRODUCT = "RayLM"


@dataclass(frozen=True)
class Letter:
    to: str
    subject: str
    text: str

    def message(self, sender: str, domain: str) -> EmailMessage:
        message = EmailMessage()
        message["From"] = sender
        message["To"] = self.to
        message["Subject"] = self.subject
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain=domain)
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(self.text)
        return message


RESET = """\
Somebody, probably you, has asked for a new password of your {product} account.
Choose it within 30 minutes at

{link}

If it was not you, ignore this mail: your password stays as it is.
"""
VERIFY = """\
A {product} account was made with this address. Open

{link}

within a day, in a browser that is signed in to the account, to say that the address is yours.

If it was not you, ignore this mail.
"""
TEXTS = {"reset": ("A new password", RESET), "verify": ("Your e-mail address", VERIFY)}
PATHS: dict[Purpose, str] = {"reset": "/reset-password", "verify": "/verify-email"}


def letter(purpose: Purpose, to: str, base_url: str, token: str) -> Letter:
    """`base_url` is the operator's word: a request's Host may be anybody's."""
    subject, text = TEXTS[purpose]
    link = f"{base_url.rstrip('/')}{PATHS[purpose]}#{token}"
    return Letter(to, f"{PRODUCT}: {subject}", text.format(product=PRODUCT, link=link))
