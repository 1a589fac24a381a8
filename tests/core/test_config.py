from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from raylm.core.errors import ConfigError
from raylm.core.schema import BatchConfig, ServeConfig, TrainConfig, UpConfig

DIMS = {"hidden_size": 64, "num_layers": 2, "num_heads": 4}
MINIMAL = {"steps": 1, "model": DIMS}


def refuse(*overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        TrainConfig.load(MINIMAL, overrides)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("override", "key", "remedy"),
    [
        ("optimzer.lr=3", "'optimzer'", "did you mean 'optimizer'"),
        ("optimizer.lrr=1", "'optimizer.lrr' (value 1)", "did you mean 'lr'"),
        ("model.hidden_siz=4", "'model.hidden_siz' (value 4)", "did you mean 'hidden_size'"),
        ("data.tokenizer.vocabsize=3", "'data.tokenizer.vocabsize'", "'vocab_size'"),
        ("steps=many", "'steps' (value 'many')", "valid integer"),
        ("optimizer.betas=[1, 2]", "'optimizer.betas.1' (value 2)", "less than or equal to 1"),
        (
            "workers=40",
            "batch.global 32 cannot be shared out to 40 workers",
            "possible are 1 to 32",
        ),
        ("elastic.min=2", "1 workers are fewer", "elastic.min 2"),
        ("elastic={min: 3, max: 2}", "elastic.max 2", "elastic.min 3"),
        ("model.num_kv_heads=3", "num_kv_heads 3", "multiple"),
    ],
)
def test_a_mistake_names_key_value_and_remedy(override: str, key: str, remedy: str) -> None:
    message = refuse(override)
    assert key in message
    assert remedy in message


def test_a_missing_key_is_named() -> None:
    with pytest.raises(ConfigError, match=r"key 'steps' is required; key 'model' is required"):
        TrainConfig.load({})


def test_several_mistakes_are_reported_together() -> None:
    message = refuse("seeed=1", "optimizer.lr=-1")
    assert "'seeed'" in message
    assert "'optimizer.lr'" in message


@pytest.mark.parametrize("override", ["seed", "=3", " =3"])
def test_an_override_without_key_or_value_is_refused(override: str) -> None:
    assert "key=value" in refuse(override)


def test_overrides_create_sections_and_read_exponents() -> None:
    config = TrainConfig.load({"steps": 1, "model": "smollm2"}, ["optimizer.lr=3e-5", "model=tiny"])
    assert config.optimizer.lr == 3e-5
    assert config.model == "tiny"


def test_an_override_replaces_a_name_by_dimensions() -> None:
    changes = [f"model.{key}={value}" for key, value in DIMS.items()]
    config = TrainConfig.load({"steps": 1, "model": "smollm2"}, changes)
    assert config.model != "smollm2"


def test_loading_does_not_change_the_given_mapping() -> None:
    given = {"steps": 1, "model": dict(DIMS)}
    TrainConfig.load(given, ["model.hidden_size=128"])
    assert given["model"] == DIMS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps: [1", "not valid YAML"),
        ("- 1\n- 2\n", "a config is a mapping"),
        ("", "key 'steps' is required"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        TrainConfig.load(path)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)


def test_a_missing_or_binary_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such config file"):
        TrainConfig.load(tmp_path / "absent.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        TrainConfig.load(tmp_path / "binary.yaml")


@pytest.mark.parametrize(
    "config", [TrainConfig.load(MINIMAL), ServeConfig(), UpConfig()], ids=lambda c: type(c).__name__
)
def test_the_resolved_config_loads_back(config: TrainConfig, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(config.to_yaml())
    assert type(config).load(path) == config


def test_every_key_is_in_the_json_schema() -> None:
    schema = TrainConfig.model_json_schema(by_alias=True)
    assert set(yaml.safe_load(TrainConfig.load(MINIMAL).to_yaml())) == set(schema["properties"])


@pytest.mark.parametrize(
    ("total", "micro", "passes"),
    [
        (32, 4, {1: 8, 2: 4, 3: 3, 4: 2, 5: 2, 8: 1, 32: 1, 33: None}),
        (5, 8, {1: 1, 2: 1, 5: 1, 6: None}),
        (5, 1, {1: 5, 2: 3, 3: 2, 4: 2, 5: 1, 6: None}),
        (None, 8, {1: 1, 7: 1}),
    ],
)
def test_passes_follow_from_the_batch(total, micro, passes) -> None:
    batch = BatchConfig.model_validate({"global": total, "micro": micro})
    for world_size, expected in passes.items():
        if expected is None:
            with pytest.raises(ValueError, match=f"out to {world_size} workers"):
                batch.passes(world_size)
        else:
            assert batch.passes(world_size) == expected


@given(st.integers(1, 64), st.integers(1, 9), st.integers(1, 12))
def test_the_passes_hold_the_largest_share_and_no_fewer_would(total, micro, world_size) -> None:
    batch = BatchConfig.model_validate({"global": total, "micro": micro})
    shares = [total * (r + 1) // world_size - total * r // world_size for r in range(world_size)]
    if total < world_size:
        with pytest.raises(ValueError, match=f"possible are 1 to {total}"):
            batch.passes(world_size)
    else:
        passes = batch.passes(world_size)
        assert (passes - 1) * micro < max(shares) <= passes * micro
