"""The gateway as Ray Serve runs it, behind HAProxy, on the stores and the provider of a rig."""

from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from benchmarks.gateway.contender import Contender
from benchmarks.gateway.rig import Rig, free_port
from raylm_apps.deploy.environment import applied
from raylm_apps.deploy.gateway import build_gateway
from raylm_apps.deploy.ingress import Deployed, deploy, ray_with_serve, undeploy, wait_ready
from raylm_apps.gateway.settings import Settings

REPLICA = "ServeReplica:gateway:gateway"


@contextmanager
def on_ray_serve(running: Rig) -> Iterator[Contender]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with applied(running.variables, {}):
        settings = Settings.from_environment()
        apps = [Deployed("gateway", "/", build_gateway(settings), "/health/ready")]
        with ray_with_serve("127.0.0.1", port, None):
            deploy(apps)
            wait_ready(apps, url, on_ready=lambda name: None)
            try:
                yield Contender("on Ray Serve", f"{url}/v1", _replica(), "openai/{}")
            finally:
                undeploy(apps)


def _replica() -> psutil.Process:
    (found,) = (
        process
        for process in psutil.process_iter(["cmdline"])
        if REPLICA in " ".join(process.info["cmdline"] or ())
    )
    return found
