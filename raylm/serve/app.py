"""The engine as a Ray Serve application."""

import os
import uuid
import warnings
from pathlib import Path

from ray.serve import Application
from ray.serve.config import AutoscalingConfig

from raylm.core.schema import ServeConfig
from raylm.serve.deployment import SHUTDOWN_MARGIN_S, engine_deployment

ADMIN_KEY = "RAYLM_ADMIN_KEY"
MEASURED_EVERY_S = 1.0
LOOK_BACK_S = 5.0


def build_app(config: ServeConfig) -> Application:
    """To run alone or to compose: `serve.run(build_app(ServeConfig(model="smollm2")))`.

    Built anew, it starts from `config`, whatever admins have loaded before.
    """
    return engine_deployment.options(
        autoscaling_config=autoscaling(config),
        graceful_shutdown_timeout_s=config.drain_s + SHUTDOWN_MARGIN_S,
    ).bind(_resolved(config), uuid.uuid4().hex)


def autoscaling(config: ServeConfig) -> AutoscalingConfig:
    """A request stays with the replica from its queue to its last token, so the requests Serve
    counts are the engine's queue: waiting and running."""
    with warnings.catch_warnings():
        # The variables Serve 2.60 names in the interval's place are read by nothing yet.
        warnings.simplefilter("ignore", DeprecationWarning)
        return AutoscalingConfig(
            min_replicas=config.min_replicas,
            initial_replicas=config.min_replicas,
            max_replicas=config.max_replicas or config.min_replicas,
            target_ongoing_requests=config.target_queue,
            upscale_delay_s=config.upscale_delay_s,
            downscale_delay_s=config.downscale_delay_s,
            metrics_interval_s=MEASURED_EVERY_S,
            look_back_period_s=LOOK_BACK_S,
        )


def _resolved(config: ServeConfig) -> ServeConfig:
    """With what only the caller knows: a relative path is meant from its folder, and the admin
    key may lie in its environment."""
    key = config.admin_key or os.environ.get(ADMIN_KEY)
    return config.model_copy(update={"model": located(config.model), "admin_key": key or None})


def located(model: str) -> str:
    """A path from anywhere; a name as it is."""
    path = Path(model).expanduser()
    return str(path.absolute()) if path.exists() else model
