"""Limits under many requests at once, without Redis, and over HTTP."""

import asyncio
import concurrent.futures
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest

from raylm_apps.gateway.embedded import StoreUrls
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.limits import Claim, Limit, Limits, Windows
from tests.apps.gateway.harness import GatewayProcess, User, environment, free_port, new_id

services = pytest.mark.services


def limit(most: int, window_s: float = 60, name: str = "test") -> Limit:
    return Limit(name, most, window_s, "rate_limit:chat")


async def passed(limits: Limits, claims: list[tuple[Claim, ...]]) -> int:
    results = await asyncio.gather(
        *(limits.spend(*claim) for claim in claims), return_exceptions=True
    )
    assert {type(result) for result in results} <= {type(None), ApiError}
    return results.count(None)


@pytest.fixture
async def limits(stores: StoreUrls) -> AsyncIterator[Limits]:
    limits = Limits(stores.redis_url)
    yield limits
    await limits.close()


@pytest.fixture
async def alone() -> AsyncIterator[Limits]:
    """Without a Redis."""
    limits = Limits(f"redis://127.0.0.1:{free_port()}")
    yield limits
    await limits.close()


@services
async def test_of_200_at_once_as_many_pass_as_there_is_room_for(limits: Limits) -> None:
    claim = limit(17).of(new_id())
    assert await passed(limits, [(claim,)] * 200) == 17


@services
async def test_two_processes_share_one_count(limits: Limits, stores: StoreUrls) -> None:
    other = Limits(stores.redis_url)
    claim = limit(17).of(new_id())
    counts = await asyncio.gather(*(passed(each, [(claim,)] * 100) for each in (limits, other)))
    await other.close()
    assert sum(counts) == 17


@services
async def test_what_one_limit_refuses_counts_for_none(limits: Limits) -> None:
    wide, narrow = limit(10, name="wide").of(new_id()), limit(2, name="narrow").of(new_id())
    assert await passed(limits, [(wide, narrow)] * 5) == 2
    assert await passed(limits, [(wide,)] * 20) == 8


@services
async def test_a_window_ends(limits: Limits) -> None:
    claim = limit(1, window_s=0.3).of(new_id())
    await limits.spend(claim)
    with pytest.raises(ApiError) as refused:
        await limits.spend(claim)
    assert refused.value.headers == {"retry-after": "1"}
    await asyncio.sleep(0.35)
    await limits.spend(claim)


@services
async def test_what_was_well_is_forgotten(limits: Limits) -> None:
    claim = limit(1).of(new_id())
    await limits.spend(claim)
    await limits.forget(claim)
    await limits.spend(claim)


@services
async def test_what_was_for_nothing_is_given_back_once(limits: Limits) -> None:
    claim = limit(2).of(new_id())
    await limits.spend(claim)
    await limits.give_back(claim)
    assert await passed(limits, [(claim,)] * 3) == 2
    await limits.give_back(limit(2).of(new_id()))


async def test_it_is_given_back_without_redis_too(alone: Limits) -> None:
    claim = limit(1).of("somebody")
    await alone.spend(claim)
    await alone.give_back(claim)
    assert await passed(alone, [(claim,)] * 3) == 1


async def test_without_redis_the_process_counts_for_itself(alone: Limits) -> None:
    claim = limit(17).of("somebody")
    started = time.perf_counter()
    assert await passed(alone, [(claim,)] * 200) == 17
    assert time.perf_counter() - started < 5


async def test_limits_can_be_lifted() -> None:
    limits = Limits("redis://127.0.0.1:1", enforced=False)
    assert await passed(limits, [(limit(1).of("somebody"),)] * 10) == 10
    await limits.close()


def test_windows_in_memory_end_too() -> None:
    now = 100.0
    windows = Windows(clock=lambda: now)
    claims = (limit(2).of("somebody"),)
    assert [windows.spend(claims) is None for _ in range(3)] == [True, True, False]
    now += 59
    refused = windows.spend(claims)
    assert refused is not None
    assert refused.headers == {"retry-after": "1"}
    now += 1
    assert windows.spend(claims) is None


@pytest.fixture(scope="module")
def strict(stores: StoreUrls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("strict")
    small = {
        "RAYLM_GUEST_MESSAGES_PER_HOUR": "5",
        "RAYLM_MESSAGES_PER_HOUR": "7",
        "RAYLM_GUESTS_PER_HOUR_FROM_ADDRESS": "20",
        "RAYLM_LOGINS_PER_ACCOUNT": "3",
        "RAYLM_TRUSTED_PROXIES": "127.0.0.1",
    }
    settings = environment(counting_apart(stores, 6), folder) | small
    with GatewayProcess(folder / "log", settings) as process:
        yield process


def counting_apart(stores: StoreUrls, number: int) -> StoreUrls:
    """Another database of the same Redis: other gateways' guests come from this machine too."""
    url = stores.redis_url
    return replace(stores, redis_url=f"{url}{'&' if '?' in url else '?'}db={number}")


@services
def test_only_answers_count(strict: GatewayProcess) -> None:
    """Neither a question that is posted again nor one into another's chat."""
    owner, user = strict.user(), strict.user()
    foreign, own = new_id(), new_id()
    owner.ask("mine", chat=foreign)
    for _ in range(6):
        assert user.ask("not mine", chat=foreign).status_code == 403
        assert user.ask("once", chat=own, message_id="question-1").status_code == 200
    for _ in range(4):
        assert user.ask("more", chat=new_id()).status_code == 200
    assert user.ask("one too many", chat=new_id()).status_code == 429


def from_address(gateway: GatewayProcess, address: str) -> User:
    user = gateway.user()
    user.http.headers["x-forwarded-for"] = address
    return user


@services
def test_a_flood_of_messages_passes_the_limit_by_none(strict: GatewayProcess) -> None:
    user = strict.user()
    with concurrent.futures.ThreadPoolExecutor(16) as threads:
        posts = [threads.submit(user.ask, "flood", chat=new_id()) for _ in range(40)]
        statuses = [post.result().status_code for post in posts]
    while len(user.http.get("/api/history").json()["chats"]) < 5:
        last = user.ask("more", chat=new_id())  # those refused for being too many at once
        assert last.status_code == 200
    refused = user.ask("one too many", chat=new_id())
    assert set(statuses) <= {200, 429}
    assert statuses.count(200) <= 5
    assert len(user.http.get("/api/history").json()["chats"]) == 5
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limit:chat")
    assert 3500 < int(refused.headers["retry-after"]) <= 3600
    assert refused.json()["cause"] == "at most 5 in 1 h"


@services
def test_a_repeated_question_is_not_counted(strict: GatewayProcess) -> None:
    user, chat = strict.user(), new_id()
    for _ in range(8):
        assert user.ask("again", chat=chat, message_id="question-1").status_code == 200
    assert len(user.messages(chat)) == 2


@services
def test_an_account_may_ask_more_than_a_guest(strict: GatewayProcess) -> None:
    user = strict.user()
    user.register()
    statuses = [user.ask("hello", chat=new_id()).status_code for _ in range(8)]
    assert statuses == [200] * 7 + [429]


@services
def test_guesses_at_a_password_end(strict: GatewayProcess) -> None:
    """Also for the right one; and an address nobody has is treated no better."""
    user = strict.user()
    email = user.register()
    for address in (email, f"nobody-{email}"):
        guesser = strict.user()
        statuses = [guesser.log_in(address, "a wrong guess").status_code for _ in range(4)]
        assert statuses == [401, 401, 401, 429]
    refused = strict.user().log_in(email)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limit:auth")
    assert user.kind == "regular"


@services
def test_guests_are_bounded_by_the_address_that_a_proxy_of_ours_names(
    strict: GatewayProcess,
) -> None:
    visitor = strict.visitor()

    def guest(address: str) -> int:
        visitor.cookies.clear()
        headers = {"x-forwarded-for": f"8.8.8.8, {address}"}
        return visitor.post("/api/auth/guest", headers=headers).status_code

    assert [guest("198.51.100.7") for _ in range(21)] == [200] * 20 + [429]
    assert guest("198.51.100.8") == 200


@services
def test_a_forwarded_address_is_not_believed_of_anybody(
    stores: StoreUrls, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The gateway named no proxies: each request invents an address, and all count as one."""
    folder = tmp_path_factory.mktemp("spoofed")
    settings = environment(counting_apart(stores, 5), folder)
    settings["RAYLM_GUESTS_PER_HOUR_FROM_ADDRESS"] = "3"
    with GatewayProcess(folder / "log", settings) as process:
        visitor, statuses = process.visitor(), []
        for number in range(5):
            visitor.cookies.clear()
            headers = {"x-forwarded-for": f"198.51.100.{number}"}
            statuses.append(visitor.post("/api/auth/guest", headers=headers).status_code)
    assert statuses == [200] * 3 + [429] * 2
