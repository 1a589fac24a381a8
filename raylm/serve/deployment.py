"""The engine inside the Serve replica that answers HTTP: no hop between a token and its client.

The engine is imported in the replica alone: who deploys it need not load torch.
"""

from ray import serve
from ray.serve import Deployment
from starlette.types import ASGIApp

from raylm.core.schema import ServeConfig

HEALTH_CHECK_PERIOD_S = 2.0
HEALTH_CHECK_TIMEOUT_S = 30.0
GRACE_S = 10.0


class EngineReplica:
    def __init__(self, config: ServeConfig) -> None:
        from raylm.infer.async_engine import AsyncLLM
        from raylm.serve.workers import WorkersRunner

        self._engine = AsyncLLM(config, runner_factory=WorkersRunner)

    def __serve_build_asgi_app__(self) -> ASGIApp:
        """Serve runs its lifespan, which starts the engine and shuts it down."""
        from raylm.serve.openai import create_app

        return create_app(self._engine)

    async def check_health(self) -> None:
        """Raises EngineError once the engine has failed; Serve then replaces the replica."""
        self._engine.stats()


engine_deployment: Deployment = serve.deployment(
    name="engine",
    # The engine has its own queue and its own 429; Serve must not hold requests back before it.
    max_ongoing_requests=100_000,
    # A model that does not load will not load the second time either.
    max_constructor_retry_count=1,
    health_check_period_s=HEALTH_CHECK_PERIOD_S,
    health_check_timeout_s=HEALTH_CHECK_TIMEOUT_S,
    graceful_shutdown_timeout_s=GRACE_S,
    # How many threads compute is ServeConfig's business, not Ray's.
    ray_actor_options={"num_cpus": 0},
)(serve.ingress()(EngineReplica))
