"""Numbered SQL files, applied once each, in order, forward only."""

from dataclasses import dataclass
from pathlib import Path

import structlog

from raylm.core.errors import StoreError
from raylm_apps.gateway.store.pool import Connection, Database

FOLDER = Path(__file__).parent / "migrations"
LOCK = 7_274_909_651  # "raylm" on a telephone's keys; one migration at a time on one database
PATIENCE_S = 24 * 3600.0  # a big table takes its time; other commands are given up much sooner
logger = structlog.get_logger()


@dataclass(frozen=True)
class Migration:
    version: int
    name: str
    sql: str


def migrations(folder: Path = FOLDER) -> list[Migration]:
    """Sorted, numbered from 1 without a gap."""
    found = [
        Migration(int(path.name[:4]), path.stem, path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("[0-9][0-9][0-9][0-9]_*.sql"))
    ]
    if [migration.version for migration in found] != list(range(1, len(found) + 1)):
        raise StoreError(f"{folder}: migrations are not numbered 0001, 0002, ... without a gap")
    return found


async def migrate(database: Database, known: list[Migration] | None = None) -> list[str]:
    """Bring the database up to date; returns the names of what was applied."""
    known = migrations() if known is None else known
    async with database.transaction() as connection:
        await connection.execute("select pg_advisory_xact_lock($1)", LOCK, timeout=PATIENCE_S)
        version = await _version(connection)
        if version > len(known):
            raise StoreError(
                f"the database is at version {version} but this RayLM knows only {len(known)}; "
                "upgrade RayLM"
            )
        missing = known[version:]
        for migration in missing:
            logger.info("migrating; a big database takes minutes", migration=migration.name)
            await connection.execute(migration.sql, timeout=PATIENCE_S)
            await connection.execute(
                "insert into schema_migrations (version, name) values ($1, $2)",
                migration.version,
                migration.name,
            )
    return [migration.name for migration in missing]


async def _version(connection: Connection) -> int:
    await connection.execute(
        """create table if not exists schema_migrations (
             version    int         primary key,
             name       text        not null,
             applied_at timestamptz not null default now()
           )"""
    )
    return int(await connection.fetchval("select coalesce(max(version), 0) from schema_migrations"))
