"""Both stores on one data folder."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from raylm.core.errors import StoreError
from raylm_apps.gateway.embedded.folder import FolderLock, socket_folder
from raylm_apps.gateway.embedded.postgres import Postgres
from raylm_apps.gateway.embedded.server import Server
from raylm_apps.gateway.embedded.valkey import Valkey


@dataclass(frozen=True)
class StoreUrls:
    database_url: str
    redis_url: str


class EmbeddedStores:
    """PostgreSQL and Valkey as children of this process, in `data_dir/{postgres,valkey}`.

    What was committed survives restarts and kill -9. Start it on the main thread: then the
    kernel stops both servers when this process dies, however it dies. A store whose URL is
    given runs elsewhere and is left alone.
    """

    def __init__(
        self, data_dir: Path | str, *, database_url: str | None = None, redis_url: str | None = None
    ) -> None:
        self.data_dir = Path(data_dir).expanduser().absolute()
        self._database_url = database_url
        self._redis_url = redis_url
        self._lock = FolderLock(self.data_dir)
        self._servers: tuple[Server, ...] = ()

    def start(self) -> StoreUrls:
        """Raises InUseError where another process has the folder, StoreError where one fails."""
        try:
            self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"{self.data_dir} cannot be a data folder: {error.strerror}; choose another "
                "(raylm up --data-dir DIR)"
            ) from None
        self._lock.acquire()
        try:
            return self._start_servers()
        except BaseException:
            self.stop()
            raise

    def revive(self) -> list[str]:
        """Start again what has died, without waiting; returns the names. Call it now and then."""
        dead = [server for server in self._servers if not server.running]
        for server in dead:
            server.spawn()
        return [server.name for server in dead]

    def stop(self) -> None:
        with ThreadPoolExecutor(max_workers=2) as threads:
            list(threads.map(Server.stop, self._servers))
        self._servers = ()
        self._lock.release()

    @property
    def database_url(self) -> str:
        """The same whoever runs the folder's database, and whether or not it runs."""
        return self._postgres().url if self._database_url is None else self._database_url

    @property
    def pids(self) -> dict[str, int | None]:
        return {server.name: server.pid for server in self._servers}

    def __enter__(self) -> StoreUrls:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _start_servers(self) -> StoreUrls:
        sockets = socket_folder(self.data_dir)
        database_url, redis_url = self._database_url, self._redis_url
        if redis_url is None:
            valkey = Valkey(self.data_dir / "valkey", sockets, self._log("valkey"))
            self._start_server(valkey)
            redis_url = valkey.url
        if database_url is None:
            postgres = self._postgres()
            self._start_server(postgres)
            database_url = postgres.url
        return StoreUrls(database_url, redis_url)

    def _start_server(self, server: Server) -> None:
        self._servers = (*self._servers, server)
        server.start()

    def _postgres(self) -> Postgres:
        sockets = socket_folder(self.data_dir)
        return Postgres(self.data_dir / "postgres", sockets, self._log("postgres"))

    def _log(self, name: str) -> Path:
        folder = self.data_dir / "logs"
        folder.mkdir(exist_ok=True)
        return folder / f"{name}.log"
