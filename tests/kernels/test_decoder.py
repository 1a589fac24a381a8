"""The packed decoder: right against plain PyTorch, and the same however it is asked."""

import gc
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest
import torch

from raylm_kernels.cpu.decoder import PackedDecoder

pytestmark = pytest.mark.usefixtures("compiled")

SHAPES = [
    {},
    {"head_dim": 64},
    {"head_dim": 128, "num_layers": 2},
    {"head_dim": 96},
    {"hidden_size": 64, "intermediate_size": 96},
    {"num_heads": 7, "num_kv_heads": 1},
    {"num_heads": 2, "num_kv_heads": 2},
    {"qk_norm": True},
    {"attention_bias": True},
    {"tie_embeddings": False},
    {"rope_attention_factor": 1.3},
]


def i32(values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.int32)


def run(decoder: PackedDecoder, *sequences, start=0, blocks=None) -> torch.Tensor:
    """Logits of every token; sequence s gets its own blocks, in descending order."""
    starts, tokens, positions = [0], [], []
    for sequence in sequences:
        tokens += sequence.tolist()
        positions += range(start, start + len(sequence))
        starts.append(len(tokens))
    if blocks is None:
        each = decoder.num_blocks // len(sequences)
        blocks = torch.arange(decoder.num_blocks - 1, -1, -1)[: each * len(sequences)]
        blocks = blocks.view(len(sequences), each).int()
    rows = torch.arange(len(tokens), dtype=torch.int32)
    return decoder.forward(i32(tokens), i32(positions), i32(starts), blocks, rows)


def random_tokens(count: int, seed: int = 1) -> torch.Tensor:
    return torch.randint(0, 307, (count,), generator=torch.Generator().manual_seed(seed))


def relative(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize(("bits", "head_bits"), [(4, 8), (8, 8), (4, 4)])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_agrees_with_plain_pytorch(toy, isa, shape, bits, head_bits):
    model, tokens = toy(**shape), random_tokens(40)
    options = {"weight_bits": bits, "head_bits": head_bits}
    expected = model.logits(tokens, **options)
    found = run(model.packed(**options, isa=isa), tokens)
    assert relative(found, expected) < 0.02  # int8 activations
    assert (found.argmax(-1) == expected.argmax(-1)).float().mean() > 0.9


def test_a_cache_in_int8(toy, isa):
    model, tokens = toy(head_dim=64), random_tokens(40)
    expected = model.logits(tokens, weight_bits=8)
    found = run(model.packed(kv_bits=8, isa=isa), tokens)
    assert relative(found, expected) < 0.02
    assert not torch.equal(found, run(model.packed(isa=isa), tokens))


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("count", [1, 5, 307])
def test_the_largest_logits_alone(toy, isa, threads, count):
    decoder, tokens = toy().packed(isa=isa, threads=threads), random_tokens(40)
    blocks = torch.arange(32, dtype=torch.int32)[None]
    rows = torch.arange(40, dtype=torch.int32)
    batch = i32(tokens.tolist()), rows, i32([0, 40]), blocks, rows
    logits = decoder.forward(*batch)
    values, found = decoder.forward_top(*batch, count)
    wanted = logits.sort(dim=1, descending=True, stable=True)
    assert torch.equal(values, wanted.values[:, :count])
    assert torch.equal(found, wanted.indices[:, :count].int())


@pytest.mark.parametrize("threads", [1, 3])
def test_hidden_states_are_what_the_head_reads(toy, isa, threads):
    """And the same whether a prompt comes whole or in chunks."""
    model, tokens = toy(), random_tokens(300)
    decoder = model.packed(isa=isa, threads=threads)
    blocks = torch.arange(32, dtype=torch.int32)[None]
    rows = torch.arange(300, dtype=torch.int32)
    batch = i32(tokens.tolist()), rows, i32([0, 300]), blocks
    hidden = decoder.forward_hidden(*batch, rows)
    head = model.weights["model.embed_tokens.weight"].float()
    assert relative(hidden @ head.T, decoder.forward(*batch, rows)) < 0.02
    chosen = decoder.forward_hidden(*batch, i32([7, 299]))
    assert torch.equal(chosen, hidden[[7, 299]])
    rest = i32(tokens[256:].tolist()), rows[256:], i32([0, 44]), blocks
    assert torch.equal(decoder.forward_hidden(*rest, rows[:44]), hidden[256:])


def test_equal_logits_go_to_the_lower_token(toy, isa):
    model = toy()
    table = model.weights["model.embed_tokens.weight"]
    model.weights["model.embed_tokens.weight"] = table[:1].repeat(len(table), 1)
    decoder = model.packed(isa=isa, threads=2)
    blocks = torch.arange(32, dtype=torch.int32)[None]
    _, found = decoder.forward_top(i32([1]), i32([0]), i32([0, 1]), blocks, i32([0]), 4)
    assert found.tolist() == [[0, 1, 2, 3]]
    with pytest.raises(ValueError, match="count is 0"):
        decoder.forward_top(i32([1]), i32([0]), i32([0, 1]), blocks, i32([0]), 0)


@pytest.mark.parametrize("shape", [{"head_dim": 20}, {"intermediate_size": 100}], ids=str)
def test_sizes_that_need_padding(toy, isa, shape):
    model, tokens = toy(**shape), random_tokens(20)
    expected = model.logits(tokens, weight_bits=8)
    assert relative(run(model.packed(isa=isa), tokens), expected) < 0.02


def test_a_bias_on_the_output_projection_is_used(toy, isa):
    model, tokens = toy(attention_bias=True), random_tokens(9)
    without = run(model.packed(isa=isa), tokens)
    model.weights["model.layers.0.self_attn.o_proj.bias"] = torch.randn(96)
    found = run(model.packed(isa=isa), tokens)
    assert relative(found, model.logits(tokens, weight_bits=8)) < 0.02
    assert relative(found, without) > 0.1


@pytest.mark.parametrize(
    ("bits", "head_bits", "kv_bits"), [(4, 8, 16), (8, 8, 16), (4, 8, 8), (4, 4, 16)]
)
def test_chunks_batches_and_threads_do_not_change_a_bit(toy, isa, bits, head_bits, kv_bits):
    model = toy(head_dim=64)
    prompts = [random_tokens(count, seed) for seed, count in enumerate((37, 300, 1, 12))]
    options = {"weight_bits": bits, "head_bits": head_bits, "kv_bits": kv_bits}
    options |= {"isa": isa, "num_blocks": 100}
    alone = [run(model.packed(**options), prompt) for prompt in prompts]

    together = run(model.packed(**options, threads=2), *prompts)
    assert torch.equal(together, torch.cat(alone))

    decoder, chunks = model.packed(**options), []
    for first in range(0, 300, 7):
        chunks.append(run(decoder, prompts[1][first : first + 7], start=first))
    assert torch.equal(torch.cat(chunks), alone[1])

    decoder = model.packed(**options, threads=2)
    steps = [run(decoder, prompts[0][i : i + 1], start=i) for i in range(37)]
    assert torch.equal(torch.cat(steps), alone[0])


def test_a_chunk_and_a_single_token_share_a_call(toy, isa):
    model, long, short = toy(), random_tokens(60, 3), random_tokens(20, 4)
    expected_long, expected_short = (run(model.packed(isa=isa), t) for t in (long, short))
    decoder = model.packed(isa=isa, num_blocks=8)
    tables = i32([[5, 1, 7, 2], [0, 3, -1, -1]])  # entries past a sequence's end are not read
    decoder.forward(short[:19].int(), i32(range(19)), i32([0, 19]), tables[1:], i32([]))
    decoder.forward(long[:30].int(), i32(range(30)), i32([0, 30]), tables[:1], i32([]))
    logits = decoder.forward(
        torch.cat((long[30:], short[19:])).int(),
        i32([*range(30, 60), 19]),
        i32([0, 30, 31]),
        tables,
        i32([30, 29]),
    )
    assert torch.equal(logits, torch.stack((expected_short[19], expected_long[59])))


def test_instruction_sets_agree(toy, isa):
    """Sums round in different orders, so an activation may fall to the other side of a half."""
    model, tokens = toy(head_dim=64), random_tokens(50)
    assert (
        relative(run(model.packed(isa=isa), tokens), run(model.packed(isa="portable"), tokens))
        < 0.01
    )


def test_large_blocks_hold_the_same(toy, isa):
    model, tokens = toy(), random_tokens(90)
    small = run(model.packed(isa=isa), tokens)
    assert torch.equal(run(model.packed(isa=isa, block_size=48, num_blocks=3), tokens), small)


def test_weights_may_be_bfloat16(toy, isa):
    model, tokens = toy(), random_tokens(8)
    model.weights.update({name: w.bfloat16().float() for name, w in model.weights.items()})
    expected = run(model.packed(isa=isa), tokens)
    model.weights.update({name: w.bfloat16() for name, w in model.weights.items()})
    assert torch.equal(run(model.packed(isa=isa), tokens), expected)


def test_int4_halves_the_layers(toy):
    model = toy(hidden_size=256, intermediate_size=1024)
    four, eight = (model.packed(weight_bits=bits).weight_bytes for bits in (4, 8))
    assert four < 0.65 * eight


@pytest.mark.parametrize(("tied", "matrices"), [(True, 1), (False, 2)])
def test_an_int4_head_leaves_the_other_matrices_alone(toy, tied, matrices):
    model = toy(hidden_size=256, vocab_size=4096, num_layers=1, tie_embeddings=tied)
    eight, four = (model.packed(head_bits=bits).weight_bytes for bits in (8, 4))
    vocabulary = 4096 * 256
    assert eight > matrices * vocabulary
    assert eight - four == vocabulary * (8.5 - 5) / 8  # with scales, and the minima of int4


FAULTS = {
    "tokens: expected dtype torch.int32, found torch.int64": {"tokens": torch.tensor([1, 2, 3])},
    r"tokens: expected 1 dimension\(s\), found \[1, 3\]": {"tokens": i32([[1, 2, 3]])},
    "tokens: expected at least one token": {"tokens": i32([])},
    r"tokens\[1\] is 307; expected a token id in \[0, 307\)": {"tokens": i32([1, 307, 2])},
    r"tokens\[2\] is -1": {"tokens": i32([1, 2, -1])},
    "positions: expected 3 values, found 2": {"positions": i32([0, 1])},
    r"positions\[0\] is -4": {"positions": i32([-4, -3, -2])},
    r"positions\[2\] is 3; expected 2": {"positions": i32([0, 1, 3])},
    "positions of sequence 0 reach 34; .* below 32": {"positions": i32([32, 33, 34])},
    r"sequence_starts\[1\] is 2; .*\(3\)": {"sequence_starts": i32([0, 2])},
    "sequence_starts: expected at least two offsets, found 1": {"sequence_starts": i32([0])},
    r"sequence_starts\[1\] is 0": {
        "sequence_starts": i32([0, 0, 3]),
        "block_tables": i32([[0], [1]]),
    },
    "block_tables: expected 1 rows, found 2": {"block_tables": i32([[0, 1], [0, 1]])},
    r"block_tables, flat index 0, is 32; .* \[0, 32\)": {"block_tables": i32([[32, 1]])},
    "flat index 0, is -1": {"block_tables": i32([[-1, 1]])},
    r"logit_rows\[1\] is 3; expected a row in \[0, 3\)": {"logit_rows": i32([0, 3])},
}


@pytest.mark.parametrize("message", FAULTS)
def test_a_wrong_batch_is_named_and_harms_nothing(toy, message):
    decoder = toy().packed()
    good = {
        "tokens": i32([1, 2, 3]),
        "positions": i32([0, 1, 2]),
        "sequence_starts": i32([0, 3]),
        "block_tables": i32([[0, 1]]),
        "logit_rows": i32([2]),
    }
    before = decoder.forward(*good.values())
    with pytest.raises(ValueError, match=message):
        decoder.forward(*(good | FAULTS[message]).values())
    assert torch.equal(decoder.forward(*good.values()), before)


def test_wrong_weights_and_sizes_are_named(toy):
    model = toy()
    name = "model.layers.1.mlp.up_proj.weight"
    model.weights[name] = torch.zeros(5, 96)
    with pytest.raises(ValueError, match=rf"{name} has shape \[5, 96\], expected \[160, 96\]"):
        model.packed()
    del model.weights[name]
    with pytest.raises(ValueError, match=f"weights lack '{name}'"):
        model.packed()
    with pytest.raises(ValueError, match="block_size is 8; it must be a multiple of 16"):
        model.packed(block_size=8)
    with pytest.raises(ValueError, match="threads is 0"):
        model.packed(threads=0)
    with pytest.raises(ValueError, match="weight_bits is 5"):
        model.packed(weight_bits=5)
    with pytest.raises(ValueError, match="head_bits is 6; it must be 4 or 8"):
        model.packed(head_bits=6)
    with pytest.raises(ValueError, match="hidden_size is 100; it must be a multiple of 32"):
        toy(hidden_size=100)
    with pytest.raises(ValueError, match=r"num_heads is 5; .* num_kv_heads \(2\)"):
        toy(num_heads=5)
    with pytest.raises(ValueError, match="inv_freq's shape"):
        toy(inv_freq=torch.ones(5))


def test_an_idle_team_sleeps(toy):
    decoder = toy().packed(threads=4)
    run(decoder, random_tokens(4))
    time.sleep(0.05)
    before = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - before < 0.05


def test_a_team_larger_than_the_machine_still_finishes(toy):
    decoder = toy().packed(threads=2 * (os.cpu_count() or 1) + 1)
    expected = run(toy().packed(), random_tokens(30))
    for _ in range(10):  # in some of which one member does the work of all
        assert torch.equal(run(decoder, random_tokens(30)), expected)


def test_two_threads_on_busy_cores_lose_little_to_one(toy):
    shape = {"hidden_size": 512, "intermediate_size": 1536, "head_dim": 64, "num_layers": 8}
    one, two = (toy(**shape).packed(threads=threads) for threads in (1, 2))
    with busy_cores():
        ratios = [tokens_per_second(two) / tokens_per_second(one) for _ in range(3)]
    assert max(ratios) > 0.4, ratios


@contextmanager
def busy_cores():
    command = [sys.executable, "-c", "while True: pass"]
    programs = [subprocess.Popen(command) for _ in os.sched_getaffinity(0)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


def tokens_per_second(decoder: PackedDecoder, seconds: float = 1.0) -> float:
    count, begin = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - begin) < seconds:
        run(decoder, random_tokens(1))
        count += 1
    return count / elapsed


def test_concurrent_callers_take_turns(toy):
    decoder = toy().packed(threads=2, num_blocks=64)
    prompts = [random_tokens(40, seed) for seed in range(4)]
    expected = [run(toy().packed(), prompt) for prompt in prompts]
    found: dict[int, torch.Tensor] = {}

    def ask(index: int) -> None:
        blocks = torch.arange(index * 8, index * 8 + 8, dtype=torch.int32)[None]
        for _ in range(5):
            found[index] = run(decoder, prompts[index], blocks=blocks)

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(found[index], expected[index]) for index in range(4))


def test_close_frees_threads_and_refuses_further_calls(toy):
    decoder = toy().packed(threads=3)
    before = threading_count()
    decoder.close()
    assert threading_count() == before - 2
    with pytest.raises(RuntimeError, match="closed"):
        run(decoder, random_tokens(2))


def test_the_last_reference_frees_the_threads(toy):
    before = threading_count()
    decoder = toy().packed(threads=3)
    assert threading_count() == before + 2
    del decoder
    gc.collect()
    assert threading_count() == before


def threading_count() -> int:
    return len(os.listdir("/proc/self/task"))  # noqa: PTH208


EXIT_SCRIPT = """
import torch
from raylm_kernels.cpu.linear import PackedLinear
from raylm_kernels.quantize import quantize_weight
linear = PackedLinear(quantize_weight(torch.randn(64, 64), 8), threads=3)
linear(torch.randn(2, 64))
print("done")
"""


def test_a_process_with_a_team_exits_by_itself():
    done = subprocess.run(
        [sys.executable, "-c", EXIT_SCRIPT], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "done"
