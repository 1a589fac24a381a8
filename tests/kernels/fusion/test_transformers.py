"""Blocks that transformers builds: what is found in them, and that they compute the same."""

import dataclasses

import pytest
import torch
from torch import nn

import raylm_kernels as rk
from benchmarks.kernels import blocks
from benchmarks.kernels.blocks import Example, Sizes
from raylm_kernels.comparison import distance

SMALL = Sizes(hidden=64, inner=96, heads=4, kv_heads=2, experts=4, active=2, tokens=7, batch=2)

FOUND = {
    "Llama": {"rms_norm": 2, "rope": 2, "gated_linear": 1, "linear_add": 2},
    "GPT-2": {"linear_add": 2, "layer_norm_linear": 2},
    "BERT": {"linear_add": 2},
    "Qwen3-MoE": {"rms_norm": 4, "rope": 2, "route_top_k": 1, "swiglu": 1, "linear_add": 1},
}
LEAST_SAVED = {"Llama": 0.7, "GPT-2": 0.6, "BERT": 0.15, "Qwen3-MoE": 0.5}
"""Of the launches."""


@pytest.fixture(scope="module", params=list(blocks.BUILDERS))
def pair(request) -> tuple[str, Example, nn.Module]:
    example = blocks.BUILDERS[request.param](SMALL)
    return request.param, example, rk.fuse(example.block, example.arguments)


def answers(module, arguments):
    """Result, and gradients of all parameters and of the first argument."""
    x, *rest = arguments
    x = x.detach().requires_grad_()
    result = module(x, *rest)
    torch.manual_seed(1)
    sources = [x, *module.parameters()]
    gradients = torch.autograd.grad(result, sources, torch.randn_like(result))
    return result.detach(), torch.cat([one.flatten() for one in gradients])


def assert_same_answers(fused, example, arguments):
    for found, wanted in zip(
        answers(fused, arguments), answers(example.block, arguments), strict=True
    ):
        assert distance(found, wanted) < 2e-5


def test_patterns_are_found_and_launches_saved(pair):
    name, _, fused = pair
    report = fused.report
    assert report.counts() == FOUND[name]
    assert not report.left_out
    assert report.after.launches <= (1 - LEAST_SAVED[name]) * report.before.launches
    assert report.after.moved_bytes < report.before.moved_bytes
    assert report.worst < 1e-5
    shown = str(report)
    assert f"{report.before.launches}" in shown
    assert all(one.into in shown and one.path in shown for one in report.rewrites)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("tokens", [1, 12])
def test_another_batch_and_length_give_the_same(pair, batch, tokens):
    _, example, fused = pair
    hidden = torch.randn(batch, tokens, SMALL.hidden)
    positions = torch.arange(5, 5 + tokens).repeat(batch, 1)
    arguments = (hidden, positions)[: len(example.arguments)]
    assert_same_answers(fused, example, arguments)


def test_parameters_are_shared_under_their_names(pair):
    _, example, fused = pair
    assert isinstance(fused, type(example.block))
    assert fused.state_dict().keys() == example.block.state_dict().keys()
    own, others = dict(fused.named_parameters()), dict(example.block.named_parameters())
    assert own.keys() == others.keys()
    assert all(own[name] is others[name] for name in own)


def test_a_step_of_training_shows_in_the_original():
    example = blocks.llama(SMALL)
    fused = rk.fuse(example.block, example.arguments)
    before = example.block(*example.arguments)
    optimizer = torch.optim.SGD(fused.parameters(), lr=1.0)
    fused(*example.arguments).square().sum().backward()
    optimizer.step()
    after = example.block(*example.arguments)
    assert not torch.allclose(before, after)
    torch.testing.assert_close(fused(*example.arguments), after, rtol=1e-4, atol=1e-5)


def test_a_block_in_bf16_keeps_its_casts_inside_the_ops():
    example = blocks.llama(SMALL).to("cpu", torch.bfloat16)
    fused = rk.fuse(example.block, example.arguments)
    assert fused.report.counts() == FOUND["Llama"]
    exact = blocks.llama(SMALL).to("cpu", torch.float64)
    wanted = exact.block(*exact.arguments)
    own, plain = (one(*example.arguments) for one in (fused, example.block))
    assert distance(own, wanted) < max(1.5 * distance(plain, wanted), 5e-3)


def test_a_router_that_rounds_otherwise_is_judged_as_a_whole():
    sizes = dataclasses.replace(SMALL, experts=16, tokens=64)
    example = blocks.experts(sizes).to("cpu", torch.bfloat16)
    fused = rk.fuse(example.block, example.arguments)
    assert fused.report.counts() == FOUND["Qwen3-MoE"]
    assert fused.report.worst < 0.1


def test_attention_spelled_out_has_its_softmax_fused():
    example = blocks.llama(SMALL, attention="eager")
    fused = rk.fuse(example.block, example.arguments)
    assert fused.report.counts() == FOUND["Llama"] | {"masked_softmax": 1}


def test_a_whole_language_model_keeps_its_logits():
    model, tokens = language_model()
    example = {"input_ids": tokens, "labels": tokens, "use_cache": False}
    fused = rk.fuse(model, example_kwargs=example)
    counts = fused.report.counts()
    assert "linear_cross_entropy" not in counts
    assert counts["rms_norm"] == 4
    assert counts["norm_linear"] == 1
    assert counts["rope"] == 4
    longer = torch.randint(100, (3, 11))
    found, wanted = (
        one(input_ids=longer, labels=longer, use_cache=False) for one in (fused, model)
    )
    assert type(found) is type(wanted)
    torch.testing.assert_close(found.loss, wanted.loss)
    torch.testing.assert_close(found.logits, wanted.logits)


def test_a_loss_alone_never_holds_its_logits():
    model, tokens = language_model()

    class Loss(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, tokens):
            return self.model(input_ids=tokens, labels=tokens, use_cache=False).loss

    fused = rk.fuse(Loss(), (tokens,))
    assert fused.report.counts()["linear_cross_entropy"] == 1
    longer = torch.randint(100, (3, 11))
    torch.testing.assert_close(fused(longer), Loss()(longer))


def test_what_export_cannot_take_is_fused_by_parts():
    example = blocks.experts(SMALL, implementation="eager")
    fused = rk.fuse(example.block, example.arguments)
    assert fused.report.counts() == {"rms_norm": 4, "route_top_k": 1}
    assert "data-dependent" in fused.report.left_out["layer.mlp.experts"]
    assert "not captured whole: layer.mlp.experts" in str(fused.report)
    assert fused.state_dict().keys() == example.block.state_dict().keys()
    assert_same_answers(fused, example, example.arguments)


def language_model():
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=100,
        hidden_size=32,
        intermediate_size=48,
        num_attention_heads=4,
        num_key_value_heads=2,
        num_hidden_layers=2,
        bos_token_id=1,
        eos_token_id=2,
    )
    return LlamaForCausalLM(config), torch.randint(100, (2, 7))
