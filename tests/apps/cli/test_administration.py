"""`raylm admin`, on a database that runs and on one that does not."""

import asyncio
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from raylm_apps.gateway.embedded import EmbeddedStores
from raylm_apps.gateway.store.migrate import migrate
from raylm_apps.gateway.store.pool import Database

RAYLM = Path(sys.executable).parent / "raylm"
EMAIL = "ada@example.com"


def admin(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [str(RAYLM), "admin", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


async def register(url: str) -> None:
    database = Database(url)
    await database.open()
    await migrate(database)
    async with database.connection() as connection:
        await connection.execute("insert into users (id, email) values ('ada', $1)", EMAIL)
    await database.close()


async def role(url: str) -> str:
    connection = await asyncpg.connect(url)
    found: str = await connection.fetchval("select role from users where email = $1", EMAIL)
    await connection.close()
    return found


@pytest.mark.services
def test_an_account_becomes_an_admin_and_is_one_no_longer(tmp_path: Path) -> None:
    stores = EmbeddedStores(tmp_path, redis_url="redis://not-needed")
    with stores as urls:
        asyncio.run(register(urls.database_url))
        granted = admin("grant", EMAIL.upper(), "--data-dir", tmp_path)
        assert granted.returncode == 0, granted.stderr
        assert granted.stdout == f"{EMAIL} is an admin, within 5 s\n"
        assert asyncio.run(role(urls.database_url)) == "admin"
        unknown = admin("grant", "nobody@example.com", "--data-dir", tmp_path)
        assert unknown.returncode == 2
        assert "no account has the address 'nobody@example.com'" in unknown.stderr
    revoked = admin("revoke", EMAIL, "--data-dir", tmp_path, "--json")
    assert revoked.returncode == 0, revoked.stderr
    assert '"admin":false' in revoked.stdout.splitlines()[-1]
    with stores as urls:
        assert asyncio.run(role(urls.database_url)) == "user"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["grant", "nobody"], "'nobody' is not an e-mail address"),
        (["grant", EMAIL, "--data-dir", "/nowhere"], "/nowhere has no database"),
        (["garnt", EMAIL], "Did you mean 'grant'?"),
    ],
)
def test_bad_input_is_one_clear_line(words: list[str], message: str) -> None:
    result = admin(*words)
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert result.returncode == 2
