import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import redis

from raylm.core.errors import InUseError, StoreError
from raylm_apps.gateway.embedded import EmbeddedStores, StoreUrls
from raylm_apps.gateway.embedded.folder import SOCKET_PATH_LIMIT, socket_folder
from raylm_apps.gateway.embedded.launcher import UNPRIVILEGED_UID, dropped
from raylm_apps.gateway.embedded.postgres import Postgres, programs
from tests.apps.gateway.harness import eventually
from tests.processes import is_alive

pytestmark = pytest.mark.services

START_AND_DIE = """
import os, sys, threading
from raylm_apps.gateway.embedded import EmbeddedStores
stores = EmbeddedStores(sys.argv[1])
start = threading.Thread(target=stores.start) if sys.argv[2] == "thread" else None
if start:
    start.start(); start.join()
else:
    stores.start()
print(*stores.pids.values(), flush=True)
os.kill(os.getpid(), 9)
"""


@pytest.fixture(scope="module")
def used_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that has been started and stopped: to copy is quicker than to initialise."""
    folder = tmp_path_factory.mktemp("used") / "data"
    with EmbeddedStores(folder):
        pass
    return folder


@pytest.fixture
def stores(tmp_path: Path, used_folder: Path) -> Iterator[EmbeddedStores]:
    shutil.copytree(used_folder, tmp_path / "data")
    stores = EmbeddedStores(tmp_path / "data")
    yield stores
    stores.stop()


def query(urls: StoreUrls, sql: str) -> Any:
    async def fetch() -> Any:
        connection = await asyncpg.connect(urls.database_url)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(fetch())


def write(urls: StoreUrls) -> None:
    query(urls, "create table kept as select 42 as answer")
    with redis.Redis.from_url(urls.redis_url) as client:
        client.set("kept", 42)
        client.waitaof(1, 0, 5_000)


def assert_kept(urls: StoreUrls) -> None:
    assert query(urls, "select answer from kept") == 42
    with redis.Redis.from_url(urls.redis_url) as client:
        assert client.get("kept") == b"42"


def pids_of_dying_parent(folder: Path, where: str) -> list[int]:
    done = subprocess.run(
        [sys.executable, "-c", START_AND_DIE, str(folder), where],
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    assert done.returncode == -signal.SIGKILL
    return [int(pid) for pid in done.stdout.split()]


def test_what_is_written_survives_a_restart(stores: EmbeddedStores) -> None:
    first = stores.start()
    write(first)
    stores.stop()
    started = time.monotonic()
    second = stores.start()
    assert time.monotonic() - started < 3  # 0.1 s on an idle machine
    assert second == first
    assert_kept(second)


def test_what_is_written_survives_kill_9_of_both(stores: EmbeddedStores) -> None:
    write(stores.start())
    for pid in stores.pids.values():
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
    stores.stop()
    assert_kept(stores.start())


def test_a_store_that_dies_is_revived(stores: EmbeddedStores) -> None:
    urls = stores.start()
    write(urls)
    assert stores.revive() == []
    for pid in stores.pids.values():
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
    revived: set[str] = set()
    eventually(lambda: revived.update(stores.revive()) or len(revived) == 2)

    def back() -> bool:
        stores.revive()
        try:
            assert_kept(urls)
        except (OSError, asyncpg.PostgresError, redis.RedisError):
            return False
        return True

    eventually(back)


def test_servers_die_with_the_process_that_started_them(stores: EmbeddedStores) -> None:
    pids = pids_of_dying_parent(stores.data_dir, "main")
    eventually(lambda: not any(map(is_alive, pids)))


def test_orphans_are_stopped_at_the_next_start(stores: EmbeddedStores) -> None:
    orphans = pids_of_dying_parent(stores.data_dir, "thread")
    assert all(map(is_alive, orphans))
    write(stores.start())
    assert not any(map(is_alive, orphans))


def test_a_recycled_pid_is_left_alone(stores: EmbeddedStores) -> None:
    stores.start()
    stores.stop()
    with subprocess.Popen(["sleep", "60"], cwd=stores.data_dir / "postgres") as stranger:
        pid_file = stores.data_dir / "postgres" / "postmaster.pid"
        pid_file.write_text(f"{stranger.pid}\n{stores.data_dir / 'postgres'}\n1\n5432\n\n\n\n")
        pid_file.chmod(0o600)
        write(stores.start())
        assert is_alive(stranger.pid)
        stranger.kill()


def test_a_folder_has_one_holder(stores: EmbeddedStores) -> None:
    stores.start()
    with pytest.raises(InUseError, match=f"in use by process {os.getpid()}; stop it, or choose"):
        EmbeddedStores(stores.data_dir).start()
    stores.stop()
    stores.start()


def test_a_named_store_is_left_alone(tmp_path: Path) -> None:
    stores = EmbeddedStores(tmp_path, database_url="postgresql://elsewhere/db")
    with stores as urls:
        assert urls.database_url == "postgresql://elsewhere/db"
        assert list(stores.pids) == ["Valkey"]
    assert not (tmp_path / "postgres").exists()


def test_a_kill_during_the_first_start_leaves_nothing_half_made(stores: EmbeddedStores) -> None:
    shutil.rmtree(stores.data_dir / "postgres")
    half_made = stores.data_dir / "postgres.new"
    half_made.mkdir()
    (half_made / "PG_VERSION").write_text("18")
    write(stores.start())
    assert not half_made.exists()


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be a data folder"):
        EmbeddedStores(tmp_path / "file" / "data").start()


def test_a_corrupt_database_says_what_is_wrong(stores: EmbeddedStores) -> None:
    stores.start()
    stores.stop()
    (stores.data_dir / "postgres" / "global" / "pg_control").write_bytes(b"nonsense")
    with pytest.raises(StoreError, match="PostgreSQL did not start: "):
        stores.start()


def test_a_long_path_has_its_sockets_elsewhere(tmp_path: Path) -> None:
    long = tmp_path / ("x" * SOCKET_PATH_LIMIT)
    long.mkdir()
    folder = socket_folder(long)
    try:
        assert folder == socket_folder(long)
        assert len(str(folder)) < 80
        folder.chmod(0o755)
        with pytest.raises(StoreError, match="open to other users"):
            socket_folder(long)
    finally:
        folder.rmdir()


def test_no_folder_is_opened_to_others(stores: EmbeddedStores) -> None:
    before = [parent.stat().st_mode for parent in stores.data_dir.parents]
    stores.start()
    assert [parent.stat().st_mode for parent in stores.data_dir.parents] == before
    assert stores.data_dir.stat().st_mode & 0o077 == 0
    assert (stores.data_dir / "run").stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_without_user_namespaces_postgres_runs_as_nobody() -> None:
    folder = Path(tempfile.mkdtemp(prefix="raylm-test-"))
    folder.chmod(0o755)
    sockets = folder / "run"
    sockets.mkdir(mode=0o700)
    launcher = dropped(programs() / "postgres")
    postgres = Postgres(folder / "postgres", sockets, folder / "log", launcher)
    try:
        postgres.start()
        urls = StoreUrls(postgres.url, "")
        assert query(urls, "select 42") == 42
        assert (folder / "postgres").stat().st_uid == UNPRIVILEGED_UID
        postgres.stop()
        again = Postgres(folder / "postgres", sockets, folder / "log")
        again.start()  # as the usual user, who takes the files over
        assert query(urls, "select 42") == 42
        again.stop()
    finally:
        postgres.stop()
        shutil.rmtree(folder)


def test_start_from_another_thread(stores: EmbeddedStores) -> None:
    urls: list[StoreUrls] = []
    thread = threading.Thread(target=lambda: urls.append(stores.start()))
    thread.start()
    thread.join()
    time.sleep(0.2)
    write(urls[0])
