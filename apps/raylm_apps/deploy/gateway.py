"""The chat gateway's ASGI app as a Ray Serve application.

The app is imported in the replica alone: who deploys it need not load it.
"""

import sys

from ray import serve
from ray.serve import Application, Deployment
from starlette.types import ASGIApp

from raylm_apps.gateway.settings import Settings

HEALTH_CHECK_PERIOD_S = 2.0
SHUTDOWN_MARGIN_S = 5.0
NODE_SHARE = 0.001  # of Ray's resource that stands for a node


class GatewayReplica:
    """Serve runs the app's lifespan, so the replica is ready once its stores answer.

    What the gateway says is in Ray's `worker-*.err`: Serve's own stderr walks the stack for each
    line, and drops it where Serve logs warnings only.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __serve_build_asgi_app__(self) -> ASGIApp:
        from raylm_apps.gateway.main import create_app

        return create_app(self._settings, log=sys.__stderr__)


gateway_deployment: Deployment = serve.deployment(
    name="gateway",
    max_ongoing_requests=100_000,  # the gateway limits by user itself
    max_constructor_retry_count=1,
    health_check_period_s=HEALTH_CHECK_PERIOD_S,
)(serve.ingress()(GatewayReplica))


def build_gateway(settings: Settings, node: str | None = None) -> Application:
    """A stopping replica has the time the gateway grants its unfinished answers, and some more.

    `node` is the address of the only node it may run on: the one with the embedded stores.
    """
    here = {f"node:{node}": NODE_SHARE} if node else {}
    return gateway_deployment.options(
        graceful_shutdown_timeout_s=settings.drain_s + SHUTDOWN_MARGIN_S,
        ray_actor_options={"num_cpus": 0, "resources": here},
    ).bind(settings)
