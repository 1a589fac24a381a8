"""Calls that are alike are of one class, others are not."""

import pytest
import torch

from raylm_kernels.shape_class import bucket, shape_class


@pytest.mark.parametrize(
    ("size", "power"),
    [(0, 0), (1, 1), (2, 2), (3, 4), (4, 4), (5, 8), (1000, 1024), (2**31, 2**31)],
)
def test_sizes_count_by_their_power_of_two(size, power):
    assert bucket(size) == power


def test_a_class_is_readable():
    args = (torch.ones(3, 576), torch.ones(576, dtype=torch.bfloat16), None, True, 7, "silu", 1e-6)
    assert shape_class(args) == "float32[4,1024]|bfloat16[1024]|None|True|8|silu"


def test_layout_and_lists_count():
    assert shape_class((torch.ones(4, 8).T,)) == "float32[8,4]*"
    assert shape_class(([torch.ones(4), None],)) == "(float32[4],None)"
