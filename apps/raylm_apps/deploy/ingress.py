"""Ray with Ray Serve behind HAProxy, and the applications deployed to it."""

import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ray import serve
from ray.serve import Application
from ray.serve.schema import ApplicationStatus

from raylm.core.errors import EngineError, InUseError
from raylm.runtime.session import ray_session
from raylm_apps.deploy import signals
from raylm_apps.deploy.environment import (
    RAY_ENVIRONMENT,
    SIDE_PORTS,
    applied,
    serve_environment,
)
from raylm_apps.deploy.failure import failure_of
from raylm_apps.deploy.haproxy import write_launcher
from raylm_apps.deploy.ports import free_ports
from raylm_apps.deploy.probe import check

READY_TIMEOUT_S = 600.0  # the first start of a big model compiles kernels and packs weights
STOP_TIMEOUT_S = 15.0  # a stream may run for as long as replicas are granted, people do not wait
POLL_S = 0.1
RAY_LOGS = "/tmp/ray/session_latest/logs/serve"


@dataclass(frozen=True)
class Deployed:
    """An application and the path, under its route, that tells whether it is well."""

    name: str
    route: str
    app: Application
    health: str


@contextmanager
def ray_with_serve(host: str, port: int, address: str | None) -> Iterator[None]:
    """Start Ray (or join `address`) and Serve; at the end, stop what was started.

    A Ray of our own takes Serve and HAProxy down with it; on another's they are ours to stop.
    """
    # A socket's path has 107 bytes at most, and Serve adds a node's 56: no long TMPDIR here.
    with tempfile.TemporaryDirectory(prefix="raylm-", dir="/tmp") as folder:
        variables = serve_environment(Path(folder), free_ports(SIDE_PORTS))
        if launcher := write_launcher(Path(folder)):
            variables["RAY_SERVE_HAPROXY_BINARY_PATH"] = str(launcher)
        handlers = signals.handlers()
        with applied(variables, RAY_ENVIRONMENT), ray_session(address):
            signals.install(handlers)  # Ray has put its own in their place
            _quiet()
            _require_no_serve(address)
            serve.start(
                http_options={"host": host, "port": port},
                logging_config={"log_level": "WARNING", "enable_access_log": False},
                controller_options={"runtime_env": {"env_vars": variables}} if address else None,
            )
            try:
                yield
            finally:
                if address:
                    serve.shutdown()  # type: ignore[no-untyped-call]


def deploy(apps: Sequence[Deployed]) -> None:
    """Start every application at once, without waiting."""
    targets = [serve.RunTarget(d.app, name=d.name, route_prefix=d.route) for d in apps]
    serve.run_many(
        targets, wait_for_ingress_deployment_creation=False, wait_for_applications_running=False
    )


def undeploy(apps: Sequence[Deployed]) -> None:
    """The last one first, each with some time for what it is doing."""
    for deployed in reversed(apps):
        serve.delete(deployed.name, _blocking=False)
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while deployed.name in serve.status().applications and time.monotonic() < deadline:
            time.sleep(POLL_S)


def wait_ready(apps: Sequence[Deployed], url: str, on_ready: Callable[[str], None]) -> None:
    """Until each answers through the ingress. Raises what kept one from starting."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    waiting = list(apps)
    while waiting:
        statuses = serve.status().applications
        for deployed in list(waiting):
            overview = statuses[deployed.name]
            if overview.status is ApplicationStatus.DEPLOY_FAILED:
                reports = (d.message for d in overview.deployments.values())
                raise failure_of(deployed.name, "\n".join(reports))
            if overview.status is not ApplicationStatus.RUNNING:
                continue
            if check(url + deployed.route.rstrip("/") + deployed.health) == "ready":
                waiting.remove(deployed)
                on_ready(deployed.name)
        if time.monotonic() > deadline:
            names = ", ".join(deployed.name for deployed in waiting)
            raise EngineError(f"{names} not ready after {READY_TIMEOUT_S:.0f} s; see {RAY_LOGS}")
        time.sleep(POLL_S)


def _quiet() -> None:
    """The driver's own lines about Serve; the stack reports its stages itself."""
    logging.getLogger("ray.serve").setLevel(logging.WARNING)


def _require_no_serve(address: str | None) -> None:
    """An ingress has one host and port, fixed when it starts."""
    if serve.status().proxies:
        raise InUseError(
            f"Ray Serve already runs on the cluster at {address}; stop it with `serve shutdown` "
            "or leave the address out to start a Ray of its own"
        )
