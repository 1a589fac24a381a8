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
from raylm_kernels.cpu import activations, build, gated, linear, loss, norm, optimizer
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


def test_a_row_that_begins_with_what_is_masked(isa):
    logits, targets = torch.randn(2, 5000), torch.tensor([4000, 3])
    logits[0, :3000] = -torch.inf
    expected = reference("cross_entropy")(logits, targets)
    torch.testing.assert_close(loss.cross_entropy(logits, targets), expected)
    grads = [torch.ones(2)]
    found = loss.cross_entropy_backward(grads, logits, targets)
    wanted = registry.entry("cross_entropy_backward").reference(grads, logits, targets)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_gradients_in_place_of_rows_that_are_not_finite(isa, value):
    logits, targets = torch.randn(4, 5000), torch.tensor([4000, 3, -100, 7])
    logits[1, 4500] = value
    logits[3] = value
    grads = [torch.rand(4)]
    expected = registry.entry("cross_entropy_backward").reference(grads, logits, targets)[0]
    loss._put_gradient("cross_entropy", logits, targets, grads[0], logits)
    for row, wanted in zip(logits, expected, strict=True):
        if wanted.isfinite().all():
            torch.testing.assert_close(row, wanted, rtol=1e-5, atol=1e-6)
        else:
            assert not row.isfinite().all()


def test_strided_arguments(isa):
    x, table = torch.randn(6, 3, 20), torch.arange(12, dtype=torch.int32).view(6, 2)
    inv_freq = torch.rand(20)[::2]
    found = activations.rope(x, table[:, 0], inv_freq, 1.0)
    expected = reference("rope")(x, table[:, 0].long(), inv_freq, 1.0)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_results_are_fp32_whatever_the_default_is():
    logits, targets = torch.randn(9, 33), torch.arange(9)
    expected = loss.cross_entropy(logits, targets)
    try:
        torch.set_default_dtype(torch.bfloat16)
        found = loss.cross_entropy(logits, targets)
        norm_of = optimizer.squared_norm([logits])
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.equal(found, expected)
    assert norm_of.dtype == torch.float32


def test_large_tensors_on_two_threads(isa, two_threads):
    """More than a thread's grain, and more than is kept in cache."""
    x, y, g = (torch.randn(4099, 520) for _ in range(3))
    weight = torch.randn(520)
    arguments = {
        "rms_norm": (x, weight, 1e-6),
        "add_rms_norm": (x, y, weight, 1e-6),
        "rms_norm_backward": ([g], x, weight, 1e-6),
        "add_rms_norm_backward": ([g, y], x, y, weight, 1e-6),
        "swiglu": (x, y),
        "swiglu_backward": ([g], x, y),
        "cross_entropy_backward": ([weight.repeat(8)[:4099]], x, torch.arange(4099) % 520),
    }
    for op, args in arguments.items():
        entry = registry.entry(op)
        found = entry.implementations["compiled"].function(*args)
        wanted = entry.reference(*args)
        for one, expected in zip(_listed(found), _listed(wanted), strict=True):
            torch.testing.assert_close(one, expected, rtol=1e-4, atol=1e-3, msg=op)


def _listed(results):
    return results if isinstance(results, list | tuple) else [results]


def test_optimizers_on_two_threads(isa, two_threads):
    values = [torch.randn(100_003).abs() for _ in range(4)]
    for op, args in (
        ("adamw_step", (*values, 5, 1e-2, 0.9, 0.9999, 1e-8, 0.1)),
        ("lion_step", (*values[:3], 1e-2, 0.9, 0.99, 0.1)),
    ):
        own, others = ([a.clone() if torch.is_tensor(a) else a for a in args] for _ in "ab")
        registry.entry(op).implementations["compiled"].function(*own)
        registry.entry(op).reference(*others)
        for one, expected in zip(own[:4], others[:4], strict=True):
            torch.testing.assert_close(one, expected, rtol=1e-5, atol=1e-7)


def test_queries_before_the_first_key(isa):
    q, (k, v) = torch.randn(1, 100, 2, 16), (torch.randn(1, 40, 2, 16) for _ in "kv")
    blocks = torch.ones(1, 7, 3, dtype=torch.bool)
    found, logs = block_sparse_attention(q, k, v, blocks, 16, True, 0.0)
    assert not found[:, :60].any()
    assert (logs[..., :60] == -torch.inf).all()
    expected = reference("block_sparse_attention")(q, k, v, blocks, 16, True, 0.0)
    torch.testing.assert_close((found, logs), expected, rtol=1e-4, atol=1e-5)


def test_other_scales_for_the_same_codes():
    weight, x = quantize_weight(torch.randn(64, 96), 8), torch.randn(3, 96)
    for factor in (1.0, 2.0, 4.0):
        scales = weight.scales * factor
        found = linear.quantized_linear(x, weight.codes, scales, None)
        torch.testing.assert_close(
            found, reference("quantized_linear")(x, weight.codes, scales, None)
        )
        del scales


def test_weights_made_in_inference_mode():
    with torch.inference_mode():
        weight, x = quantize_weight(torch.randn(64, 96), 8), torch.randn(3, 96)
        found = linear.quantized_linear(x, weight.codes, weight.scales, None)
    assert found.isfinite().all()


def test_an_instruction_set_the_machine_lacks_is_refused():
    with pytest.raises(ValueError, match="isa is 'sse9'; this machine has"), build.using("sse9"):
        pass


def test_a_bad_query_leaves_the_others_alone(isa):
    q, k, v = (torch.randn(1, 40, 2, 16) for _ in "qkv")
    blocks = torch.ones(1, 5, 5, dtype=torch.bool)
    expected, _ = block_sparse_attention(q, k, v, blocks, 8, True, 0.0)
    q[0, 7, 1] = torch.nan
    found, _ = block_sparse_attention(q, k, v, blocks, 8, True, 0.0)
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
    packed = weakref.ref(linear._packed[weight.codes].linear)
    assert packed() is not None
    del weight
    gc.collect()
    assert packed() is None


def torch_threads(count):
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def two_threads():
    yield from torch_threads(2)


@pytest.fixture
def four_threads():
    yield from torch_threads(4)


def test_threads_that_call_at_once(two_threads):
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


def test_a_forked_process_has_threads_of_its_own(two_threads):
    x, weight = torch.randn(4096, 512), torch.randn(512)
    expected = norm.rms_norm(x, weight, 1e-6)  # on the threads of this process
    child = os.fork()
    if child == 0:  # where torch's own threads, which torch.equal takes, would never answer
        is_same = False
        try:
            found = norm.rms_norm(x, weight, 1e-6)
            is_same = found.numpy().tobytes() == expected.numpy().tobytes()
        finally:
            os._exit(0 if is_same else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_jobs_for_fewer_threads_than_there_are(four_threads):
    """Parts of 16384 values: one, two, three and all four threads have work."""
    x, weight = torch.randn(64, 1024), torch.randn(1024)
    rows = [16, 64, 32, 48, 33, 64, 17]
    whole = norm.rms_norm(x, weight, 1e-6)
    for _ in range(300):
        for count in rows:
            assert torch.equal(norm.rms_norm(x[:count], weight, 1e-6), whole[:count])


WITHOUT_MEMORY = """
import os
import resource
import sys
from ctypes import byref
import torch
from raylm_kernels.cpu import build, norm, sparse_attention
from raylm_kernels.cpu.compiled import address, kernels

torch.set_num_threads(2)
x, weight = torch.randn(4096, 64), torch.randn(64)
build.available()
if sys.argv[1] == "threads are there":
    norm.rms_norm(x, weight, 1e-6)
q, keys = torch.randn(1, 1, 2, 16), torch.zeros(1, 2**20, 2, 16)
blocks = torch.zeros(1, 1, 1, dtype=torch.bool)
shape = sparse_attention._shape(q, keys, blocks, 2**20, True, 0.0)
logs = torch.zeros(1, 2, 1)
tensors = q, logs, q, logs, q, keys, keys, blocks, torch.empty_like(q), keys, keys
threads = len(os.listdir("/proc/self/task"))
pages = int(open("/proc/self/statm").read().split()[0])
used = pages * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_STACK, (8 * 2**20, -1))
resource.setrlimit(resource.RLIMIT_AS, (used + 4 * 2**20, -1))

first = norm.rms_norm(x, weight, 1e-6).sum().item()
print(len(os.listdir("/proc/self/task")) - threads, "threads more")
try:
    kernels().raylm_sparse_attention_backward(byref(shape), *map(address, tensors), 2)
except MemoryError as error:
    print(error)
print(norm.rms_norm(x, weight, 1e-6).sum().item() == first)
"""


@pytest.mark.parametrize("threads", ["threads are there", "no thread can start"])
def test_a_lack_of_memory_for_threads_and_for_what_they_work_in_is_survived(threads):
    """A thread's stack has no place in 4 MB; nor have gradients of 64 MB."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_MEMORY, threads],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    expected = ["0 threads more", "sparse_attention_backward: std::bad_alloc", "True"]
    assert done.stdout.splitlines() == expected


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
