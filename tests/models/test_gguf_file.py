import struct
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from raylm.core.errors import WeightsError
from raylm.models.gguf_file import GgufFile


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("gguf") / "small.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_uint32("count", 7)
    writer.add_int8("negative", -3)
    writer.add_float64("ratio", 0.5)
    writer.add_bool("flag", True)
    writer.add_array("words", ["naïve", "", "日本"])
    writer.add_array("numbers", [1.5, -2.5])
    writer.add_tensor("matrix", np.arange(6, dtype=np.float32).reshape(2, 3))
    quantised = gguf.quants.quantize(np.ones((3, 64), np.float32), gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor("packed", quantised, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes()


def open_bytes(tmp_path: Path, content: bytes) -> GgufFile:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    return GgufFile.open(path)


def test_metadata_and_tensors_are_found(tmp_path, small):
    file = open_bytes(tmp_path, small)
    assert file.metadata["words"] == ["naïve", "", "日本"]
    assert file.metadata["numbers"].tolist() == [1.5, -2.5]
    plain = {k: v for k, v in file.metadata.items() if k not in ("words", "numbers")}
    assert plain == {
        "general.architecture": "llama",
        "count": 7,
        "negative": -3,
        "ratio": 0.5,
        "flag": True,
    }
    assert file.tensors["matrix"].shape == (2, 3)
    assert file.rows("matrix").view(np.float32).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert file.tensors["packed"].shape == (3, 64)
    assert file.rows("packed").shape == (3, 68)


def test_agrees_with_the_reference_reader(tmp_path, small):
    file = open_bytes(tmp_path, small)
    reader = gguf.GGUFReader(tmp_path / "model.gguf")
    assert [t.name for t in reader.tensors] == list(file.tensors)
    for tensor in reader.tensors:
        assert file.tensors[tensor.name].offset == tensor.data_offset
        assert file.rows(tensor.name).tobytes() == tensor.data.tobytes()


def test_typed_access(tmp_path, small):
    file = open_bytes(tmp_path, small)
    assert file.require("count", int) == 7
    assert file.require("count", float) == 7.0
    assert file.get("absent", 5) == 5
    with pytest.raises(WeightsError, match="'absent' is missing"):
        file.require("absent", int)
    with pytest.raises(WeightsError, match="'flag' is True, not of int"):
        file.require("flag", int)


def test_every_truncation_is_one_clear_error(tmp_path, small):
    whole = open_bytes(tmp_path, small)
    last_byte = max(tensor.offset + tensor.size_bytes for tensor in whole.tensors.values())
    path = tmp_path / "model.gguf"
    for size in range(last_byte):
        path.write_bytes(small[:size])
        with pytest.raises(WeightsError) as caught:
            GgufFile.open(path)
        assert str(caught.value).startswith(str(path))
        assert "\n" not in str(caught.value)


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_corruption_never_escapes_as_another_error(tmp_path, small, data):
    """A changed file opens, its tensors readable, or is refused; nothing else happens."""
    content = bytearray(small)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 8))
        value = data.draw(st.one_of(st.integers(0, 40), st.sampled_from([2**31, 2**63, 2**64 - 1])))
        width = data.draw(st.sampled_from("BIQ"))
        struct.pack_into("<" + width, content, at, value % 256 ** struct.calcsize(width))
    try:
        file = open_bytes(tmp_path, bytes(content))
    except WeightsError:
        return
    for name in file.tensors:
        assert file.rows(name).nbytes == file.tensors[name].size_bytes


@pytest.mark.parametrize(
    ("at", "layout", "value", "message"),
    [
        (0, "4s", b"GGML", "does not start with 'GGUF'"),
        (4, "I", 1, "GGUF version 1 is not one of 2, 3"),
        (4, ">I", 3, "GGUF version 50331648"),
        (8, "Q", 2**60, f"{2**60} tensors do not fit"),
        (16, "Q", 2**63, f"{2**63} metadata pairs do not fit"),
        (24, "Q", 2**40, "claims 1099511627776 bytes"),
    ],
)
def test_the_message_says_what_is_wrong(tmp_path, small, at, layout, value, message):
    content = bytearray(small)
    struct.pack_into(layout if layout[0] == ">" else "<" + layout, content, at, value)
    with pytest.raises(WeightsError, match=r"model\.gguf: ") as caught:
        open_bytes(tmp_path, bytes(content))
    assert message in str(caught.value)


def test_what_is_not_a_file_is_refused(tmp_path):
    with pytest.raises(WeightsError, match="cannot be read"):
        GgufFile.open(tmp_path)
    (tmp_path / "empty.gguf").touch()
    with pytest.raises(WeightsError, match=r"empty\.gguf: cannot be read"):
        GgufFile.open(tmp_path / "empty.gguf")
