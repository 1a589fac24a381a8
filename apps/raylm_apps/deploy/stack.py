"""`raylm up` as one value: stores, Ray, Serve and both applications, stopped together."""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

from pydantic import SecretStr
from ray.serve import Application

from raylm.core.schema import UpConfig
from raylm.runtime.session import node_address
from raylm.serve import build_app
from raylm.serve.app import located
from raylm_apps.deploy import signals
from raylm_apps.deploy.gateway import build_gateway
from raylm_apps.deploy.ingress import Deployed, deploy, ray_with_serve, undeploy, wait_ready
from raylm_apps.deploy.lock import hold
from raylm_apps.deploy.ports import require_free
from raylm_apps.deploy.stores import Stores, running_stores
from raylm_apps.gateway.settings import Settings

WATCH_PERIOD_S = 1.0
OUR_PROXIES = ("127.0.0.0/8", "::1")  # HAProxy on this machine, which says who asks

OnStage = Callable[[str, str], None]


def _silent(stage: str, detail: str) -> None:
    pass


class Stack:
    """What runs. Leaving the block that started it stops everything it started."""

    def __init__(self, url: str, stores: Stores | None, on_stage: OnStage) -> None:
        self.url = url
        self._stores = stores
        self._on_stage = on_stage

    @classmethod
    @contextmanager
    def start(
        cls, config: UpConfig, *, address: str | None = None, on_stage: OnStage = _silent
    ) -> Iterator[Self]:
        """Everything: stores, engine at /engine, gateway at /. Yields once the URL answers.

        `on_stage(part, detail)` is called as each part is ready. Raises InUseError where the
        port or the data folder is taken, before anything is started.
        """
        settings = Settings.from_environment()
        data_dir = config.data_dir.expanduser().absolute()
        url = url_of(config)
        with _unwinding() as started:
            started.enter_context(hold(data_dir, url))
            require_free(config.host, config.port)
            clock = Clock(on_stage)
            stores = started.enter_context(running_stores(settings, data_dir))
            clock.ready("stores")
            _start_ray(started, config, address, clock)
            settings, config = sharing_a_key(settings, config)
            gateway = _gateway(settings, config, data_dir, stores, url)
            apps = [
                Deployed("engine", "/engine", build_app(config.serve), "/health"),
                Deployed("gateway", "/", gateway, "/health/ready"),
            ]
            _start_apps(started, apps, url, clock)
            yield cls(url, stores, on_stage)

    @classmethod
    @contextmanager
    def start_engine(
        cls, config: UpConfig, *, address: str | None = None, on_stage: OnStage = _silent
    ) -> Iterator[Self]:
        """The engine alone at /, without stores or data folder."""
        url = url_of(config)
        with _unwinding() as started:
            require_free(config.host, config.port)
            clock = Clock(on_stage)
            _start_ray(started, config, address, clock)
            apps = [Deployed("engine", "/", build_app(config.serve), "/health")]
            _start_apps(started, apps, url, clock)
            yield cls(url, None, on_stage)

    def wait(self) -> None:
        """Until Ctrl-C or SIGTERM; meanwhile a store that dies is started again."""
        while True:
            time.sleep(WATCH_PERIOD_S)
            if self._stores is not None:
                for name in self._stores.revive():
                    self._on_stage("stores", f"{name} had died; started again")


class Clock:
    """Reports each part with the seconds since `restart`."""

    def __init__(self, on_stage: OnStage) -> None:
        self._on_stage = on_stage
        self.restart()

    def restart(self) -> None:
        self._started = time.monotonic()

    def ready(self, part: str) -> None:
        self._on_stage(part, f"ready in {time.monotonic() - self._started:.1f} s")


def url_of(config: UpConfig) -> str:
    """How this machine reaches the ingress, which may listen on every address."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(config.host, config.host)
    return f"http://{host}:{config.port}"


@contextmanager
def _unwinding() -> Iterator[ExitStack]:
    """An ExitStack that SIGTERM unwinds too, and that no second signal cuts short."""
    with signals.terminable(), ExitStack() as started, signals.deaf_afterwards():
        yield started


def _start_ray(started: ExitStack, config: UpConfig, address: str | None, clock: Clock) -> None:
    clock.restart()
    started.enter_context(ray_with_serve(config.host, config.port, address))
    clock.ready("ray")


def _start_apps(started: ExitStack, apps: list[Deployed], url: str, clock: Clock) -> None:
    clock.restart()
    deploy(apps)
    wait_ready(apps, url, clock.ready)
    started.callback(undeploy, apps)


def sharing_a_key(settings: Settings, config: UpConfig) -> tuple[Settings, UpConfig]:
    """The gateway changes the engine's models for its admins: with the key that somebody has
    chosen, else with one that nobody else knows."""
    chosen = settings.admin_key and settings.admin_key.get_secret_value()
    key = config.serve.admin_key or chosen or secrets.token_urlsafe(32)
    serve = config.serve.model_copy(update={"admin_key": key})
    return (
        settings.model_copy(update={"admin_key": SecretStr(key)}),
        config.model_copy(update={"serve": serve}),
    )


def _gateway(
    settings: Settings, config: UpConfig, data_dir: Path, stores: Stores, url: str
) -> Application:
    told = {
        "data_dir": data_dir,
        "local_models": tuple(dict.fromkeys((located(config.serve.model), *settings.local_models))),
        "database_url": stores.urls.database_url,
        "redis_url": stores.urls.redis_url,
        "engine_url": f"{url}/engine/v1",
        "trusted_proxies": (*settings.trusted_proxies, *OUR_PROXIES, node_address()),
    }
    node = node_address() if stores.embedded else None
    return build_gateway(settings.model_copy(update=told), node)
