"""The engine as a Ray Serve application."""

from ray.serve import Application

from raylm.core.schema import ServeConfig
from raylm.serve.deployment import engine_deployment


def build_app(config: ServeConfig) -> Application:
    """To run alone or to compose: `serve.run(build_app(ServeConfig(model="smollm2")))`."""
    return engine_deployment.bind(config)
