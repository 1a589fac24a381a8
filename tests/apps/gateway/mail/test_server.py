import pytest

from raylm.core.errors import ConfigError
from raylm_apps.gateway.mail.server import MailServer


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://localhost", MailServer("localhost", 25, "none")),
        ("smtp://mail.example:2525", MailServer("mail.example", 2525, "none")),
        (
            "smtp://ada%40x.example:a%2Fb%3A@mail.example?starttls",
            MailServer("mail.example", 587, "starttls", "ada@x.example", "a/b:"),
        ),
        ("smtps://u:p@mail.example/", MailServer("mail.example", 465, "tls", "u", "p")),
        ("smtp://u:p@127.0.0.1:1025", MailServer("127.0.0.1", 1025, "none", "u", "p")),
        ("smtp://u:p@[::1]:1025", MailServer("::1", 1025, "none", "u", "p")),
    ],
)
def test_the_setting_names_a_server(url: str, server: MailServer) -> None:
    assert MailServer.parse(url) == server


@pytest.mark.parametrize(
    "url",
    [
        "u:secret@mail.example",
        "http://u:secret@mail.example",
        "smtp://u:secret@mail.example?tls",
        "smtps://u:secret@mail.example?starttls",
        "smtp://u:secret@mail.example:port",
        "smtp://u:secret@[mail.example",
        "smtp://u:secret@/",
        "smtp://u:secret@mail.example/inbox",
        "smtp://u:secret/mail.example:587?starttls",
    ],
)
def test_what_names_none_is_told_without_the_password(url: str) -> None:
    with pytest.raises(ConfigError, match="RAYLM_SMTP_URL names no mail server: write") as refused:
        MailServer.parse(url)
    assert "secret" not in str(refused.value)


def test_no_password_is_sent_in_the_clear() -> None:
    with pytest.raises(ConfigError, match=r"go to 'mail\.example' in the clear") as refused:
        MailServer.parse("smtp://u:secret@mail.example")
    assert "secret" not in str(refused.value)
