"""The Serve side without a cluster: what is deployed, and when a replica calls itself ill."""

import pytest

from raylm.core.errors import ConfigError, EngineError
from raylm.core.schema import ServeConfig
from raylm.serve.app import build_app
from raylm.serve.board import LocalBoard
from raylm.serve.deployment import EngineReplica, engine_deployment, first_model
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


def options_of(config):
    return build_app(config)._bound_deployment._deployment_config


def test_one_replica_unless_more_are_asked_for():
    scaling = options_of(ServeConfig()).autoscaling_config
    assert (scaling.min_replicas, scaling.max_replicas) == (1, 1)
    assert options_of(ServeConfig(min_replicas=2)).autoscaling_config.max_replicas == 2
    scaling = options_of(ServeConfig(max_replicas=3, target_queue=5)).autoscaling_config
    assert (scaling.min_replicas, scaling.max_replicas) == (1, 3)
    assert scaling.target_ongoing_requests == 5
    with pytest.raises(ConfigError, match="max_replicas 2 is less than min_replicas 3"):
        ServeConfig.load({"min_replicas": 3, "max_replicas": 2})


def test_serve_waits_for_streams_as_long_as_the_engine_does():
    assert options_of(ServeConfig(drain_s=77)).graceful_shutdown_timeout_s > 77


def test_the_admin_key_may_lie_in_the_callers_environment(monkeypatch):
    assert deployed_config(build_app(ServeConfig())).admin_key is None
    monkeypatch.setenv("RAYLM_ADMIN_KEY", "from-outside")
    assert deployed_config(build_app(ServeConfig())).admin_key == "from-outside"
    own = ServeConfig(admin_key="its-own")
    assert deployed_config(build_app(own)).admin_key == "its-own"
    assert "its-own" not in repr(own)
    assert "admin_key" not in first_model(own).to_dict()


def test_each_deployment_begins_anew():
    one, other = (build_app(ServeConfig())._bound_deployment.init_args[1] for _ in range(2))
    assert one != other


async def test_a_replica_is_ill_once_its_engine_has_failed(engine):
    replica = EngineReplica.__new__(EngineReplica)
    replica._models = Models(None, LocalBoard())
    replica._models.add("fake", engine)
    await replica.check_health()
    engine.dead = True
    with pytest.raises(EngineError):
        await replica.check_health()
