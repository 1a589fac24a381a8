import pytest
import torch
from pydantic import ValidationError

from raylm.checkpoint.tensor_record import TensorRecord


def test_a_record_round_trips_through_json():
    record = TensorRecord.of(torch.Size([3, 0, 5]), torch.bfloat16)
    assert record.to_dict() == {"shape": [3, 0, 5], "dtype": "BF16"}
    again = TensorRecord.model_validate_json(record.model_dump_json())
    assert again == record
    assert again.torch_dtype is torch.bfloat16
    assert again.numel == 0
    assert TensorRecord.of((), torch.int64).numel == 1


def test_an_unknown_dtype_is_refused():
    with pytest.raises(ValueError, match=r"cannot hold torch\.complex64, only float64, float32"):
        TensorRecord.of((2,), torch.complex64)
    with pytest.raises(ValidationError):
        TensorRecord.model_validate({"shape": [2], "dtype": "C64"})
    with pytest.raises(ValidationError):
        TensorRecord.model_validate({"shape": [-2], "dtype": "F32"})
