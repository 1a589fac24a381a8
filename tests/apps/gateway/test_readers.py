"""How many streams are read at once, over real connections that end in every way they can."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import httpx
import pytest

from raylm_apps.gateway.embedded import StoreUrls
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.readers import Readers
from raylm_apps.gateway.slots import Room
from tests.apps.gateway.harness import GatewayProcess, User, environment, eventually, new_id

services = pytest.mark.services
OF_USER, OF_ADDRESS = 3, 5


@pytest.fixture(scope="module")
def narrow(stores: StoreUrls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("narrow")
    url = stores.redis_url
    apart = replace(stores, redis_url=f"{url}{'&' if '?' in url else '?'}db=10")
    settings = environment(
        apart,
        folder,
        RAYLM_MAX_READERS_PER_USER=str(OF_USER),
        RAYLM_MAX_READERS_FROM_ADDRESS=str(OF_ADDRESS),
        RAYLM_TRUSTED_PROXIES="127.0.0.1",
    )
    with GatewayProcess(folder / "log", settings) as process:
        yield process


def at(gateway: GatewayProcess, address: str) -> User:
    user = gateway.user()
    user.http.headers["x-forwarded-for"] = address
    return user


def assert_full(response: httpx.Response, most: int) -> None:
    assert (response.status_code, response.json()["code"]) == (429, "rate_limit:stream")
    assert response.headers["retry-after"] == "5"
    assert response.json()["cause"] == f"at most {most} at a time"


def is_open_to(user: User, chat: str) -> bool:
    with user.resuming(chat) as stream:
        return stream.response.status_code == 200


@services
def test_a_user_reads_so_many_streams(narrow: GatewayProcess, chat: str) -> None:
    """Asking and resuming count together; what is refused is not stored; a closed page is room."""
    user = at(narrow, "198.51.100.1")
    with user.asking("wait", chat=chat, model="mock/silent") as asked:
        asked.read_until(b"start")
        with user.resuming(chat) as first, ExitStack() as stack:
            first.read_until(b"start")
            stack.enter_context(user.resuming(chat)).read_until(b"start")
            assert_full(user.http.get(f"/api/chat/{chat}/stream"), OF_USER)
            assert_full(user.ask("more", chat=(other := new_id())), OF_USER)
            assert user.http.get(f"/api/messages?chatId={other}").json()["title"] is None
        eventually(lambda: is_open_to(user, chat))
        user.http.post(f"/api/chat/{chat}/stop")
        asked.rest()
    eventually(lambda: user.ask("more", chat=other).status_code == 200)


@services
def test_an_address_reads_so_many_whoever_its_users_are(narrow: GatewayProcess) -> None:
    users = [at(narrow, "198.51.100.2") for _ in range(OF_ADDRESS + 1)]
    chats = [new_id() for _ in users]
    with ExitStack() as stack:
        for user, chat in zip(users[:-1], chats, strict=False):
            stream = stack.enter_context(user.asking("wait", chat=chat, model="mock/silent"))
            stream.read_until(b"start")
        assert_full(users[-1].ask("me too", chat=chats[-1]), OF_ADDRESS)
        elsewhere = at(narrow, "198.51.100.3")
        assert elsewhere.ask("Hello", chat=new_id()).status_code == 200
        for user, chat in zip(users[:-1], chats, strict=False):
            user.http.post(f"/api/chat/{chat}/stop")
    eventually(lambda: users[-1].ask("me too", chat=chats[-1]).status_code == 200)


@services
def test_what_is_no_stream_takes_no_seat(narrow: GatewayProcess, chat: str) -> None:
    user = at(narrow, "198.51.100.4")
    for _ in range(2 * OF_USER):
        assert user.ask("Hello", chat=chat).status_code == 200
        assert user.http.get(f"/api/chat/{chat}/stream").status_code == 204
        assert user.http.get(f"/api/chat/{new_id()}/stream").status_code == 404
        assert user.ask("", chat=chat).status_code == 400
        assert user.ask("Hello", chat=chat, model="nobody/knows").is_client_error


def test_a_seat_is_left_once_and_full_is_full_of_either() -> None:
    readers = Readers()
    user, address = Room("user:ada", 1), Room("address:here", 2)
    with readers.seat(user, address):
        with pytest.raises(ApiError, match="at most 1"):
            readers.seat(user, address)
        with (
            readers.seat(Room("user:babbage", 1), address),
            pytest.raises(ApiError, match="most 2"),
        ):
            readers.seat(Room("user:eve", 1), address)
    for _ in range(3):
        with readers.seat(user, address):
            pass
    assert readers._reading == {}


def test_limits_can_be_lifted() -> None:
    readers = Readers(enforced=False)
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(readers.seat(Room("user:ada", 1)))
