"""The engines inside the Serve replica that answers HTTP: no hop between a token and its client.

The engine is imported in the replica alone: who deploys it need not load torch.
"""

from ray import serve
from ray.serve import Deployment
from starlette.types import ASGIApp

from raylm.core.schema import ModelConfig, ServeConfig
from raylm.serve.kv_board import KvBoard
from raylm.serve.loader import EngineLoader
from raylm.serve.models import Models

HEALTH_CHECK_PERIOD_S = 2.0
HEALTH_CHECK_TIMEOUT_S = 30.0
SHUTDOWN_MARGIN_S = 15.0  # for what Serve and the app do before and after the streams


class EngineReplica:
    """`board` names what replicas know in common: which models they serve."""

    def __init__(self, config: ServeConfig, board: str) -> None:
        self._admin_key = config.admin_key
        self._models = Models(EngineLoader(), KvBoard(board), config.drain_s)
        self._models.open(first_model(config))

    def __serve_build_asgi_app__(self) -> ASGIApp:
        """Serve runs its lifespan, which starts the engines and shuts them down."""
        from raylm.serve.openai import app_of

        return app_of(self._models, self._admin_key)

    async def check_health(self) -> None:
        """Raises EngineError once an engine has failed; Serve then replaces the replica."""
        for served in self._models:
            served.engine.stats()


def first_model(config: ServeConfig) -> ModelConfig:
    return ModelConfig.load(config.model_dump(include=set(ModelConfig.model_fields)))


engine_deployment: Deployment = serve.deployment(
    name="engine",
    # The engine has its own queue and its own 429; Serve must not hold requests back before it.
    max_ongoing_requests=100_000,
    # A model that does not load will not load the second time either.
    max_constructor_retry_count=1,
    health_check_period_s=HEALTH_CHECK_PERIOD_S,
    health_check_timeout_s=HEALTH_CHECK_TIMEOUT_S,
    # How many threads compute is ServeConfig's business, not Ray's.
    ray_actor_options={"num_cpus": 0},
)(serve.ingress()(EngineReplica))
