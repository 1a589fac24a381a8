"""The C structures and enumerations of csrc/, field for field."""

from ctypes import Structure, c_float, c_int32, c_int64, c_void_p
from enum import IntEnum

from raylm_kernels.quantize import QuantizedWeight


class MatrixKind(IntEnum):
    QKV = 0
    OUT = 1
    GATE_UP = 2
    DOWN = 3
    HEAD = 4
    EMBEDDING = 5


class VectorKind(IntEnum):
    INPUT_NORM = 0
    POST_NORM = 1
    QUERY_NORM = 2
    KEY_NORM = 3
    QKV_BIAS = 4
    OUT_BIAS = 5
    FINAL_NORM = 6
    INV_FREQ = 7


class Fault(IntEnum):
    NONE = 0
    SEQUENCE_STARTS = 1
    TOKEN = 2
    POSITION = 3
    POSITION_BEYOND_TABLE = 4
    BLOCK = 5
    LOGIT_ROW = 6


class ShapeStruct(Structure):
    _fields_ = (
        ("vocab_size", c_int32),
        ("hidden_size", c_int32),
        ("intermediate_size", c_int32),
        ("layers", c_int32),
        ("heads", c_int32),
        ("kv_heads", c_int32),
        ("head_dim", c_int32),
        ("padded_head_dim", c_int32),
        ("weight_bits", c_int32),
        ("head_bits", c_int32),
        ("tied", c_int32),
        ("norm_eps", c_float),
        ("rope_factor", c_float),
    )


class BatchStruct(Structure):
    _fields_ = (
        ("tokens_count", c_int32),
        ("sequences", c_int32),
        ("table_width", c_int32),
        ("logits_count", c_int32),
        ("tokens", c_void_p),
        ("positions", c_void_p),
        ("sequence_starts", c_void_p),
        ("block_tables", c_void_p),
        ("logit_rows", c_void_p),
    )


class LogitsStruct(Structure):
    _fields_ = (
        ("all", c_void_p),
        ("top", c_int32),
        ("values", c_void_p),
        ("tokens", c_void_p),
        ("hidden", c_void_p),
    )


class ShareStruct(Structure):
    _fields_ = (("data", c_void_p), ("bytes", c_int64))


class SparseShapeStruct(Structure):
    _fields_ = (
        ("batch", c_int32),
        ("queries", c_int32),
        ("keys", c_int32),
        ("heads", c_int32),
        ("kv_heads", c_int32),
        ("head_dim", c_int32),
        ("block_size", c_int32),
        ("mask_heads", c_int32),
        ("causal", c_int32),
        ("scale", c_float),
    )


class QuantizedRowsStruct(Structure):
    _fields_ = (("codes", c_void_p), ("scales", c_void_p), ("minima", c_void_p))


def packed_rows(weight: QuantizedWeight) -> QuantizedRowsStruct:
    """Borrows the tensors' memory: `weight` must outlive the call."""
    minima = None if weight.minima is None else weight.minima.data_ptr()
    return QuantizedRowsStruct(weight.codes.data_ptr(), weight.scales.data_ptr(), minima)


class FindingStruct(Structure):
    _fields_ = (
        ("fault", c_int32),
        ("index", c_int32),
        ("found", c_int32),
        ("limit", c_int32),
    )
