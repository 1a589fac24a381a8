"""Passwords changed and forgotten, with real mail, and everybody who must not get in by it."""

import asyncio
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from raylm_apps.gateway.embedded import StoreUrls
from tests.apps.gateway.accounts.provider import Provider, sign_in
from tests.apps.gateway.harness import (
    PASSWORD,
    GatewayProcess,
    User,
    environment,
    eventually,
    free_port,
    new_email,
)
from tests.apps.gateway.mail_server import MailServer, link_of

pytestmark = pytest.mark.services
CHANGED = "another good password"
RESET, VERIFY = "password", "e-mail address"


@pytest.fixture
def gateway(mailing: GatewayProcess) -> GatewayProcess:
    return mailing


def change(user: User, **body: str) -> httpx.Response:
    return user.http.post("/api/auth/password", json=body)


def forgot(user: User, email: str, **headers: str) -> httpx.Response:
    return user.http.post("/api/auth/password/forgot", json={"email": email}, headers=headers)


def reset(user: User, token: str, password: str = CHANGED) -> httpx.Response:
    body = {"token": token, "password": password}
    return user.http.post("/api/auth/password/reset", json=body)


def asked(user: User, mail: MailServer, email: str) -> str:
    """The token of a mail that was just asked for."""
    before = len(mail.letters_to(email))
    assert forgot(user, email).json() == {"success": True}
    eventually(lambda: len(mail.letters_to(email)) > before, within_s=20)
    return mail.token(email, RESET)


def refusal(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def test_a_password_is_changed_and_other_sessions_end(
    ada: User, babbage: User, mailing: GatewayProcess
) -> None:
    email = ada.register()
    babbage.log_in(email)
    before = ada.token
    changed = change(ada, current=PASSWORD, password=CHANGED)
    assert changed.json()["user"]["email"] == email
    assert (ada.kind, babbage.kind) == ("regular", None)
    assert ada.token != before
    assert mailing.visitor(cookie=before).get("/api/history").status_code == 401
    assert len(ada.http.get("/api/auth/sessions").json()["sessions"]) == 1
    assert babbage.log_in(email).status_code == 401
    assert babbage.log_in(email, CHANGED).status_code == 200


@pytest.mark.parametrize("current", [{"current": "a guess"}, {"current": ""}, {}])
def test_the_current_password_is_asked_for(
    ada: User, babbage: User, current: dict[str, str]
) -> None:
    email = ada.register()
    assert refusal(change(ada, **current, password=CHANGED)) == (403, "forbidden:password")
    assert babbage.log_in(email).status_code == 200


def test_the_new_password_is_as_good_as_a_first_one(ada: User) -> None:
    ada.register()
    refused = change(ada, current=PASSWORD, password="1234567")
    assert refusal(refused) == (400, "bad_request:api")
    assert refused.json()["cause"].startswith("password: ")
    assert "1234567" not in refused.text


def test_guests_and_programs_change_no_password(ada: User, mailing: GatewayProcess) -> None:
    assert refusal(change(ada, current=PASSWORD, password=CHANGED)) == (403, "forbidden:auth")
    ada.register()
    key = ada.http.post("/api/keys", json={"name": "mine"}).json()["key"]
    ada.http.headers["authorization"] = f"Bearer {key}"
    assert refusal(change(ada, current=PASSWORD, password=CHANGED)) == (403, "forbidden:auth")


def test_of_two_changes_at_once_one_counts(ada: User, babbage: User) -> None:
    email = ada.register()
    tokens = [ada.token]
    babbage.log_in(email)
    tokens.append(babbage.token)

    async def both() -> list[httpx.Response]:
        base_url = str(ada.http.base_url)
        async with httpx.AsyncClient(base_url=base_url, timeout=30) as client:
            posts = [
                client.post(
                    "/api/auth/password",
                    json={"current": PASSWORD, "password": f"{CHANGED} {number}"},
                    headers={"cookie": f"raylm_session={token}"},
                )
                for number, token in enumerate(tokens)
            ]
            return await asyncio.gather(*posts)

    answers = asyncio.run(both())
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(200) == 1
    works = [babbage.log_in(email, f"{CHANGED} {number}").status_code == 200 for number in range(2)]
    assert works == [status == 200 for status in statuses]


def test_whoever_signs_in_with_the_old_one_at_that_moment_is_out(
    ada: User, babbage: User, stores: StoreUrls
) -> None:
    """The old password was right when it was looked at; the session would outlive the change."""
    email = ada.register()

    async def sign_in_meanwhile() -> httpx.Response:
        connection = await asyncpg.connect(stores.database_url)
        async with connection.transaction():
            await connection.execute(
                "update users set password_hash = 'changed' where email = $1", email
            )
            signing_in = asyncio.create_task(asyncio.to_thread(babbage.log_in, email))
            await asyncio.wait([signing_in], timeout=1)
        await connection.close()
        return await signing_in

    assert refusal(asyncio.run(sign_in_meanwhile())) == (401, "unauthorized:auth")
    assert babbage.kind == "guest"


def test_a_first_password_needs_a_fresh_sign_in(
    ada: User, babbage: User, github: Provider, execute: Callable[..., None]
) -> None:
    """A cookie that was left somewhere is not enough to make a way in that lasts."""
    github.become(email := new_email())
    sign_in(ada.http, github)
    user_id = ada.http.get("/api/auth/session").json()["user"]["id"]
    old = "update sessions set created_at = now() - interval '11 minutes' where user_id = $1"
    execute(old, user_id)
    assert refusal(change(ada, password=CHANGED)) == (401, "unauthorized:fresh")
    link = "/api/auth/oauth/github?link=true"
    assert refusal(ada.http.get(link)) == (401, "unauthorized:fresh")
    sign_in(ada.http, github)
    assert change(ada, password=CHANGED).status_code == 200
    assert babbage.log_in(email, CHANGED).json()["user"]["id"] == user_id
    execute(old, user_id)
    assert change(babbage, current=CHANGED, password=PASSWORD).status_code == 200


def test_a_password_belongs_to_an_address(ada: User, github: Provider) -> None:
    github.become(new_email(), verified=False)
    sign_in(ada.http, github)
    assert refusal(change(ada, password=CHANGED)) == (400, "bad_request:password")


def test_a_forgotten_password_is_replaced_once(ada: User, babbage: User, mail: MailServer) -> None:
    email = ada.register()
    token = asked(babbage, mail, email)
    assert reset(babbage, token).json() == {"success": True}
    assert (ada.kind, babbage.kind) == (None, "guest")
    assert babbage.log_in(email).status_code == 401
    assert refusal(reset(babbage, token, "a third password")) == (400, "bad_request:token")
    user = babbage.log_in(email, CHANGED).json()["user"]
    assert (user["id"], user["emailVerified"]) == (ada.id, True)


def test_the_mail_is_plain_and_has_one_link(ada: User, mail: MailServer) -> None:
    email = ada.register()
    token = asked(ada, mail, email)
    letter = mail.letter(email, RESET)
    assert letter["from"] == "RayLM <no-reply@chat.example>"
    assert letter.get_content_type() == "text/plain"
    assert "RayLM" in letter.get_content()
    assert link_of(letter) == f"http://chat.example/reset-password#{token}"


@pytest.mark.parametrize("name", ["host", "x-forwarded-host", "forwarded", "x-original-url"])
def test_no_header_names_the_links_host(ada: User, mail: MailServer, name: str) -> None:
    email = ada.register()
    value = "host=evil.example" if name == "forwarded" else "evil.example"
    forgot(ada, email, **{name: value})
    letter = mail.letter(email, RESET)
    assert "evil" not in letter.as_string()
    assert link_of(letter).startswith("http://chat.example/reset-password#")


@pytest.mark.parametrize("why", ["expired", "changed", "reset by another", "rubbish", "verifies"])
def test_a_token_that_is_worth_nothing(
    ada: User, babbage: User, mail: MailServer, execute: Callable[..., None], why: str
) -> None:
    email = ada.register()
    token = mail.token(email, VERIFY) if why == "verifies" else asked(ada, mail, email)
    works = PASSWORD
    if why == "expired":
        execute("update proofs set expires_at = now() where email = $1", email)
    elif why == "changed":
        change(ada, current=PASSWORD, password=(works := "changed meanwhile"))
    elif why == "reset by another":
        reset(ada, asked(ada, mail, email), works := "reset meanwhile")
    elif why == "rubbish":
        token = f"{token[:-1]}{'a' if token[-1] != 'a' else 'b'}"
    assert refusal(reset(babbage, token)) == (400, "bad_request:token")
    assert babbage.log_in(email, CHANGED).status_code == 401
    assert babbage.log_in(email, works).status_code == 200


def test_a_token_changes_no_other_account(ada: User, babbage: User, mail: MailServer) -> None:
    hers, his = ada.register(), babbage.register()
    reset(babbage, asked(babbage, mail, his))
    assert ada.kind == "regular"
    assert ada.log_in(hers).status_code == 200


def test_an_account_without_a_password_gets_one_by_mail(
    ada: User, babbage: User, mail: MailServer, github: Provider
) -> None:
    github.become(email := new_email())
    sign_in(ada.http, github)
    assert reset(babbage, asked(babbage, mail, email)).status_code == 200
    assert babbage.log_in(email, CHANGED).status_code == 200
    assert sign_in(ada.http, github).status_code == 302


def test_whoever_took_anothers_address_loses_the_account(
    ada: User, babbage: User, mail: MailServer, github: Provider
) -> None:
    """Pre-hijacking: Babbage registers Ada's address and keeps every way in that he can make."""
    email = babbage.register(new_email())
    key = babbage.http.post("/api/keys", json={"name": "mine"}).json()["key"]
    github.become(new_email())
    sign_in(babbage.http, github, "?link=true")
    token, as_babbage = asked(ada, mail, email), github.user
    reset(ada, token)
    ada.log_in(email, CHANGED)
    assert babbage.kind is None
    assert babbage.log_in(email).status_code == 401
    program = {"authorization": f"Bearer {key}"}
    assert babbage.http.get("/api/history", headers=program).status_code == 401
    github.user = as_babbage
    sign_in(babbage.http, github)
    his = babbage.http.get("/api/auth/session").json()["user"]["id"]
    assert his != ada.http.get("/api/auth/session").json()["user"]["id"]


def test_a_proved_owner_keeps_the_other_ways_in(
    ada: User, babbage: User, mail: MailServer, github: Provider
) -> None:
    github.become(email := new_email())
    sign_in(ada.http, github)
    key = ada.http.post("/api/keys", json={"name": "mine"}).json()["key"]
    reset(babbage, asked(babbage, mail, email))
    program = {"authorization": f"Bearer {key}"}
    assert babbage.http.get("/api/history", headers=program).status_code == 200
    sign_in(ada.http, github)
    babbage.log_in(email, CHANGED)
    users = [user.http.get("/api/auth/session").json()["user"]["id"] for user in (ada, babbage)]
    assert users[0] == users[1]


def test_nobody_learns_whether_an_address_is_known(ada: User, mail: MailServer) -> None:
    """Neither by the answer, nor by its time, nor by the mail server's, nor while it is away."""
    known, unknown = ada.register(), new_email()

    def seconds(email: str) -> float:
        started = time.perf_counter()
        answer = forgot(ada, email)
        assert (answer.status_code, answer.json()) == (200, {"success": True})
        return time.perf_counter() - started

    mail.letter(known, VERIFY)
    with mail.slow():
        took = [seconds(email) for _ in range(2) for email in (known, unknown)]
    assert max(took) < 3  # a letter that nobody takes keeps nobody waiting
    eventually(lambda: len(mail.letters_to(known)) == 3, within_s=20)
    assert mail.letters_to(unknown) == []


def test_the_time_tells_nothing(mailing: GatewayProcess) -> None:
    user = mailing.user()
    times: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(12):
        known = mailing.user().register()
        for is_known, email in ((True, known), (False, new_email())):
            started = time.perf_counter()
            forgot(user, email).raise_for_status()
            times[is_known].append(time.perf_counter() - started)
    slower, faster = sorted((statistics.median(times[True]), statistics.median(times[False])))[::-1]
    assert slower < 3 * faster


def test_while_no_mail_leaves_everybody_is_told_the_same(
    ada: User, mail: MailServer, mailing: GatewayProcess
) -> None:
    known = ada.register()
    mail.letter(known, VERIFY)
    with mail.away():
        answers = [forgot(ada, email) for email in (known, new_email())]
        assert ada.register() is not None  # verification never blocks
    assert [refusal(answer) for answer in answers] == [(503, "offline:mail")] * 2
    assert answers[0].json() == answers[1].json()
    assert "RAYLM_SMTP_URL" in mailing.said
    assert asked(ada, mail, known)


@pytest.fixture(scope="module")
def strict(
    stores: StoreUrls,
    mail: MailServer,
    mail_certificate: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("strict")
    url = stores.redis_url
    apart = {"RAYLM_REDIS_URL": f"{url}{'&' if '?' in url else '?'}db=9"}
    settings = environment(
        stores,
        folder,
        RAYLM_SMTP_URL=mail.url,
        RAYLM_MAIL_FROM="no-reply@chat.example",
        RAYLM_PUBLIC_URL="http://chat.example",
        SSL_CERT_FILE=str(mail_certificate),
        RAYLM_MAILS_PER_HOUR_FROM_ADDRESS="6",
        RAYLM_MAILS_PER_HOUR_TO_ACCOUNT="2",
        RAYLM_LOGINS_PER_ACCOUNT="3",
        RAYLM_TRUSTED_PROXIES="127.0.0.1",
    )
    with GatewayProcess(folder / "log", settings | apart) as process:
        yield process


def test_mails_are_few_whoever_asks_and_whoever_is_asked_for(strict: GatewayProcess) -> None:
    user = strict.user()
    known, unknown = user.register(), new_email()
    for email in (known, unknown):
        statuses = [forgot(strict.user(), email).status_code for _ in range(3)]
        assert statuses == [200, 200, 429]
    statuses = [forgot(user, new_email()).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    elsewhere = {"x-forwarded-for": "198.51.100.7"}
    assert forgot(user, new_email(), **elsewhere).status_code == 200
    assert refusal(forgot(user, known, **elsewhere)) == (429, "rate_limit:auth")


def test_guesses_at_the_current_password_end(strict: GatewayProcess) -> None:
    """Together with those at the login."""
    user = strict.user()
    email = user.register()
    guesses = [change(user, current="a guess", password=CHANGED).status_code for _ in range(4)]
    assert guesses == [403, 403, 403, 429]
    assert change(user, current=PASSWORD, password=CHANGED).status_code == 429
    assert strict.user().log_in(email).status_code == 429


def test_half_a_setting_is_told_at_the_start(stores: StoreUrls, tmp_path: Path) -> None:
    url = f"smtp://raylm:secret@localhost:{free_port()}"
    process = GatewayProcess(tmp_path / "log", environment(stores, tmp_path, RAYLM_SMTP_URL=url))
    with pytest.raises(AssertionError):
        process.start()
    assert "RAYLM_MAIL_FROM None: mail needs a sender" in process.said
    assert "secret" not in process.said


def test_no_token_is_logged_or_exported(
    ada: User, mail: MailServer, mailing: GatewayProcess
) -> None:
    email = ada.register()
    token = asked(ada, mail, email)
    told = ada.http.get("/api/account/export")
    assert {proof["purpose"] for proof in told.json()["proofs"]} == {"reset", "verify"}
    assert token not in told.text
    reset(ada, token)
    reset(ada, token)
    assert "/api/auth/password/reset" in mailing.said
    for secret in (token, CHANGED, email):
        assert secret not in mailing.said
