"""A peer is timed in the format that its CPU multiplies."""

import pytest

from benchmarks.infer.peer_dtype import fast_dtype


@pytest.mark.parametrize(
    ("flags", "dtype"),
    [("flags: fpu avx2 fma", "float32"), ("flags: avx512_bf16", "bfloat16"), ("", "float32")],
)
def test_bf16_only_where_the_cpu_multiplies_it(flags, dtype):
    assert fast_dtype(flags) == dtype
