import asyncio
import time

import pytest
from argon2 import PasswordHasher

from raylm_apps.gateway.accounts import passwords as passwords_module
from raylm_apps.gateway.accounts.accounts import Accounts, Visitor
from raylm_apps.gateway.accounts.passwords import Passwords
from raylm_apps.gateway.accounts.sessions import Sessions
from raylm_apps.gateway.embedded import StoreUrls
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.store.migrate import migrate
from raylm_apps.gateway.store.pool import Database
from tests.apps.gateway.harness import PASSWORD, new_email

NOBODY = Visitor(None, "", "")


async def test_a_password_matches_its_hash_alone() -> None:
    passwords = Passwords()
    stored = await passwords.hash(PASSWORD)
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert PASSWORD not in stored
    assert stored != await passwords.hash(PASSWORD)
    assert await passwords.matches(PASSWORD, stored)
    assert not await passwords.matches(PASSWORD + " ", stored)
    assert not await passwords.matches(PASSWORD, None)
    assert not await passwords.matches(PASSWORD, "not a hash")


async def test_the_loop_goes_on_while_passwords_are_hashed() -> None:
    passwords = Passwords()
    hashing = asyncio.gather(*(passwords.hash(PASSWORD) for _ in range(20)))
    turns = 0
    while not hashing.done():
        await asyncio.sleep(0.001)
        turns += 1
    assert turns > 20


async def test_only_a_few_are_hashed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    running, most = 0, 0

    def slow(self: PasswordHasher, password: str) -> str:
        nonlocal running, most
        running += 1
        most = max(most, running)
        time.sleep(0.005)
        running -= 1
        return "hash"

    passwords = Passwords()
    monkeypatch.setattr(PasswordHasher, "hash", slow)
    results = await asyncio.gather(
        *(passwords.hash(PASSWORD) for _ in range(100)), return_exceptions=True
    )
    refused = [result for result in results if isinstance(result, ApiError)]
    assert most <= passwords_module.AT_ONCE
    assert len(refused) == 100 - passwords_module.MOST_WAITING
    assert refused[0].code == "rate_limit:auth"
    assert await passwords.hash(PASSWORD) == "hash"


@pytest.mark.services
async def test_an_unknown_address_costs_what_a_wrong_password_does(
    stores: StoreUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(stores.database_url)
    await database.open()
    await migrate(database)
    accounts = Accounts(database, Sessions(database, frozenset()), Passwords(), frozenset())
    known = new_email()
    await accounts.register(NOBODY, known, PASSWORD, None)
    verified: list[str] = []
    verify = PasswordHasher.verify

    def counting(self: PasswordHasher, stored: str, password: str) -> bool:
        verified.append(stored.rpartition("$")[0].rpartition("$")[0])  # kind and costs
        return bool(verify(self, stored, password))

    monkeypatch.setattr(PasswordHasher, "verify", counting)
    for email in (known, new_email()):
        with pytest.raises(ApiError, match="unauthorized:auth"):
            await accounts.log_in(NOBODY, email, "a wrong password")
    await database.close()
    assert len(verified) == 2
    assert verified[0] == verified[1]
