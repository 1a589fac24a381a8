"""The compiled ops as their callers meet them: awkward input, many threads, forks, no compiler."""

import gc
import os
import subprocess
import sys
import threading
import warnings
import weakref

import pytest
import torch

import raylm_kernels as rk
from raylm_kernels import registry
from raylm_kernels.cpu import gated, linear, loss, norm, optimizer
from raylm_kernels.cpu.sparse_attention import block_sparse_attention
from raylm_kernels.quantize import quantize_weight
from raylm_kernels.testing import reference

pytestmark = pytest.mark.usefixtures("compiled")

BEYOND_32_BITS = 2**31 + 2**20


@pytest.mark.parametrize("width", [1, 15, 16, 17, 48, 1000])
def test_rows_of_any_width(isa, width):
    x, weight = torch.randn(5, width), torch.randn(width)
    expected = reference("rms_norm")(x, weight, 1e-5)
    torch.testing.assert_close(norm.rms_norm(x, weight, 1e-5), expected, rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_what_is_not_finite_stays_in_its_row_and_is_seen(isa, value):
    x, y = torch.randn(4, 48), torch.randn(4, 48)
    x[2, 20] = value
    targets = torch.tensor([1, 2, 3, 4])
    pairs = [
        (norm.rms_norm(x, y[0], 1e-5), reference("rms_norm")(x, y[0], 1e-5)),
        (gated.swiglu(x, y), reference("swiglu")(x, y)),
        (loss.cross_entropy(x, targets), reference("cross_entropy")(x, targets)),
    ]
    for found, expected in pairs:
        assert torch.equal(found.isfinite(), expected.isfinite())
        finite = expected.isfinite()
        torch.testing.assert_close(found[finite], expected[finite], rtol=1e-5, atol=1e-5)


def test_a_bad_query_leaves_the_others_alone(isa):
    q, k, v = (torch.randn(1, 40, 2, 16) for _ in "qkv")
    blocks = torch.ones(1, 5, 5, dtype=torch.bool)
    expected = block_sparse_attention(q, k, v, blocks, 8, True, 0.0)
    q[0, 7, 1] = torch.nan
    found = block_sparse_attention(q, k, v, blocks, 8, True, 0.0)
    assert found[0, 7, 1].isnan().all()
    found[0, 7, 1] = expected[0, 7, 1]
    assert torch.equal(found, expected)


def test_places_beyond_32_bits_in_one_long_row():
    x = torch.zeros(BEYOND_32_BITS)  # pages of zeros, of which there is one
    x[-1] = 3.0
    assert optimizer.squared_norm([x]) == 9.0


def test_places_beyond_32_bits_in_many_rows():
    vocabulary = 2**20
    rows = BEYOND_32_BITS // vocabulary
    logits, targets = torch.zeros(rows, vocabulary), torch.full((rows,), -100)
    logits[-1, -1] = 20.0
    targets[0], targets[-1] = 5, vocabulary - 1
    losses = loss.cross_entropy(logits, targets)
    expected = reference("cross_entropy")(logits[[0, -1]], targets[[0, -1]])
    torch.testing.assert_close(losses[[0, -1]], expected, rtol=1e-4, atol=1e-6)
    assert not losses[1:-1].any()


def test_a_token_that_does_not_exist_is_named_and_nothing_is_disabled():
    logits = torch.randn(64, 5000)
    targets = torch.zeros(64, dtype=torch.long)
    rk.cross_entropy(logits, targets)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for wrong in (5000, -1):
            targets[3] = wrong
            with pytest.raises(rk.ArgumentError, match=rf"targets_N\[3\].*5000\), found {wrong}"):
                loss.cross_entropy(logits, targets)
    assert not registry.explain("cross_entropy", logits, targets).rows[1].obstacle


def test_packed_weights_follow_the_codes_they_were_packed_from():
    weight = quantize_weight(torch.randn(64, 96), 8)
    x = torch.randn(3, 96)
    arguments = weight.codes, weight.scales, None

    def expected():
        return reference("quantized_linear")(x, *arguments)

    torch.testing.assert_close(linear.quantized_linear(x, *arguments), expected())
    weight.codes.neg_()
    torch.testing.assert_close(linear.quantized_linear(x, *arguments), expected())


def test_packed_weights_go_with_the_codes():
    weight = quantize_weight(torch.randn(64, 96), 4)
    linear.quantized_linear(torch.randn(1, 96), weight.codes, weight.scales, weight.minima)
    packed = weakref.ref(linear._packed[weight.codes][1])
    assert packed() is not None
    del weight
    gc.collect()
    assert packed() is None


def test_threads_that_call_at_once():
    x, weight = torch.randn(4096, 512), torch.randn(512)
    expected = norm.rms_norm(x, weight, 1e-6)
    found = [None] * 4

    def call(place):
        for _ in range(20):
            found[place] = norm.rms_norm(x, weight, 1e-6)

    threads = [threading.Thread(target=call, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(one, expected) for one in found)


def test_a_forked_process_has_threads_of_its_own():
    x, weight = torch.randn(4096, 512), torch.randn(512)
    expected = norm.rms_norm(x, weight, 1e-6)  # on the threads of this process
    child = os.fork()
    if child == 0:  # where torch's own threads, which torch.equal takes, would never answer
        found = norm.rms_norm(x, weight, 1e-6)
        os._exit(0 if found.numpy().tobytes() == expected.numpy().tobytes() else 1)
    assert os.waitpid(child, 0)[1] == 0


WITHOUT_COMPILER = """
import warnings
import torch
import raylm_kernels as rk

x = torch.randn(3, 64)
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    for _ in range(2):
        y = rk.rms_norm(x, torch.ones(64), 1e-6)
        rk.swiglu(x, x)
assert torch.isfinite(y).all()
print([str(one.message) for one in told])
"""


@pytest.mark.parametrize("program", ["no-such-compiler", "/bin/false"])
def test_without_a_compiler_torch_serves_with_one_warning(tmp_path, program):
    environment = os.environ | {"CXX": program, "RAYLM_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_COMPILER],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.count("plain PyTorch serves in place of the CPU kernels") == 1
