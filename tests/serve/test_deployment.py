"""The Serve side without a cluster: what is deployed, and when a replica calls itself ill."""

import pytest

from raylm.core.errors import EngineError
from raylm.core.schema import ServeConfig
from raylm.serve.app import build_app
from raylm.serve.board import LocalBoard
from raylm.serve.deployment import EngineReplica, engine_deployment
from raylm.serve.models import Models


def deployed_config(app) -> ServeConfig:
    config, _ = app._bound_deployment.init_args
    return config


def test_serve_holds_nothing_back_before_the_engines_own_queue():
    default = ServeConfig()
    assert engine_deployment.max_ongoing_requests > default.max_running + default.max_waiting


def test_a_name_is_deployed_as_it_is():
    assert deployed_config(build_app(ServeConfig(model="smollm2"))).model == "smollm2"


def test_a_relative_path_is_meant_from_here(tmp_path, monkeypatch):
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    config = deployed_config(build_app(ServeConfig(model="runs/mine")))
    assert config.model == str(tmp_path / "runs" / "mine")


async def test_a_replica_is_ill_once_its_engine_has_failed(engine):
    replica = EngineReplica.__new__(EngineReplica)
    replica._models = Models(None, LocalBoard())
    replica._models.add("fake", engine)
    await replica.check_health()
    engine.dead = True
    with pytest.raises(EngineError):
        await replica.check_health()
