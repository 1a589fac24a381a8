import json

import pytest

from raylm.core.errors import ConfigError
from raylm.train.deepspeed import load_deepspeed, translate

TREE = {"train_batch_size": 8, "zero_optimization": {"stage": 2}}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "ds_config.json"


def refuse(source):
    with pytest.raises(ConfigError) as caught:
        load_deepspeed(source, world_size=2)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("as_path", [str, lambda path: path])
def test_a_file_and_a_mapping_mean_the_same(file, as_path):
    file.write_text(json.dumps(TREE))
    found = load_deepspeed(as_path(file), world_size=2)
    assert found == load_deepspeed(TREE, world_size=2) == translate(TREE, world_size=2)


def test_a_missing_file_is_named(file):
    assert refuse(file) == f"{file}: no such DeepSpeed config"


def test_a_folder_is_no_config(tmp_path):
    assert refuse(tmp_path).startswith(f"{tmp_path}: cannot be read: ")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "not valid JSON: "),
        ('{"train_batch_size": 8,}', "not valid JSON: "),
        ("[1, 2]", "a ds_config is a JSON object, this is a list"),
        ("3", "a ds_config is a JSON object, this is a int"),
        ("[" * 100_000, "not valid JSON: "),
        ('{"train_batch_size": 8, "train_batch_size": 9}', "key 'train_batch_size' is given twice"),
        ('{"fp16": {"enabled": true, "enabled": false}}', "key 'enabled' is given twice"),
        (
            '{"train_batch_size": "big"}',
            "key 'train_batch_size' (value 'big'): expected an integer",
        ),
        ("{}", "neither train_batch_size nor"),
    ],
)
def test_a_fault_is_one_line_with_the_file(file, text, fault):
    file.write_text(text)
    assert refuse(file).startswith(f"{file}: {fault}")


def test_bytes_that_are_no_text_are_a_fault(file):
    file.write_bytes(b"\xff\xfe\x00")
    assert refuse(file).startswith(f"{file}: not valid JSON: ")


def test_a_wrong_mapping_is_refused_too():
    assert refuse({"train_batch_size": 3}).startswith("train_batch_size 3 is not a multiple of")
