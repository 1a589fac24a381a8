"""The engine as a Ray Serve application."""

from pathlib import Path

from ray.serve import Application

from raylm.core.schema import ServeConfig
from raylm.serve.deployment import engine_deployment


def build_app(config: ServeConfig) -> Application:
    """To run alone or to compose: `serve.run(build_app(ServeConfig(model="smollm2")))`."""
    return engine_deployment.bind(_with_absolute_model(config))


def _with_absolute_model(config: ServeConfig) -> ServeConfig:
    """A relative path is meant from the caller's folder, which is not the replica's."""
    path = Path(config.model).expanduser()
    return config.model_copy(update={"model": str(path.absolute())}) if path.exists() else config
