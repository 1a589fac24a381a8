import torch

from raylm.checkpoint.host_copy import copy_to_host


def test_copies_keep_values_and_types_and_share_nothing_with_the_originals():
    originals = [
        torch.arange(5.0),
        torch.empty(0),
        torch.arange(3, dtype=torch.bfloat16),
        torch.arange(7, dtype=torch.int64),
        torch.randn(1_000_000),
    ]
    expected = [tensor.clone() for tensor in originals]
    copies = copy_to_host(originals)
    for tensor in originals:
        tensor.zero_()
    for copy, value in zip(copies, expected, strict=True):
        assert copy.dtype == value.dtype
        assert copy.data_ptr() % 64 == 0
        assert torch.equal(copy, value)


def test_nothing_is_copied_to_nowhere():
    assert copy_to_host([]) == []
    [copy] = copy_to_host([torch.empty(0)])
    assert copy.numel() == 0


def test_a_copy_outlives_the_others():
    [_, kept] = copy_to_host([torch.ones(10), torch.full((10,), 3.0)])
    assert kept.sum() == 30
