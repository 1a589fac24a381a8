import pytest
import torch
import transformers
from torch.nn import functional as F

from raylm.models.decoder import Decoder
from raylm.models.hf_config import spec_from_hf
from raylm.models.spec import ModelSpec
from raylm.nn.attention import CausalAttention

SIZES = {
    "vocab_size": 300,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 50_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
YARN = {
    "rope_type": "yarn",
    "rope_theta": 10_000.0,
    "factor": 4.0,
    "original_max_position_embeddings": 64,
}
MODELS = {
    "llama": transformers.LlamaConfig(**SIZES),
    "llama-tied": transformers.LlamaConfig(**SIZES, tie_word_embeddings=True),
    "llama-biased": transformers.LlamaConfig(**SIZES, attention_bias=True),
    "llama-linear": transformers.LlamaConfig(
        **SIZES, rope_parameters={"rope_type": "linear", "factor": 2.0, "rope_theta": 10_000.0}
    ),
    "llama3": transformers.LlamaConfig(**SIZES, rope_parameters=LLAMA3),
    "llama-yarn": transformers.LlamaConfig(**SIZES, rope_parameters=YARN),
    "mistral": transformers.MistralConfig(**SIZES, head_dim=24, sliding_window=None),
    "qwen2": transformers.Qwen2Config(**SIZES, rms_norm_eps=1e-6),
    "qwen3": transformers.Qwen3Config(**SIZES, head_dim=32),
    "qwen3-yarn-tied": transformers.Qwen3Config(
        **SIZES, head_dim=16, tie_word_embeddings=True, rope_parameters=YARN
    ),
}


def oracle(config):
    """A transformers model with every parameter random, norms and biases too."""
    torch.manual_seed(1)
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


def decoder_like(model) -> Decoder:
    decoder = Decoder(spec_from_hf(model.config.to_dict()))
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    if decoder.spec.tie_embeddings:
        del state["lm_head.weight"]
    decoder.load_state_dict(state)
    return decoder


@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_logits_equal_transformers(name):
    model = oracle(MODELS[name])
    decoder = decoder_like(model)
    tokens = torch.randint(0, 300, (2, 200), generator=torch.Generator().manual_seed(2))
    expected = model(tokens).logits
    difference = (decoder(tokens) - expected).abs().max() / expected.abs().max()
    assert difference < 1e-5
    assert decoder.spec.num_parameters == sum(p.numel() for p in model.parameters())


@pytest.fixture
def spec():
    return ModelSpec(
        vocab_size=50,
        hidden_size=32,
        intermediate_size=64,
        num_layers=2,
        num_heads=4,
        num_kv_heads=2,
        head_dim=8,
        max_positions=64,
    )


def test_parameters_are_those_the_spec_lists(spec):
    for variant in (spec, ModelSpec(**SHAPED, qk_norm=True, attention_bias=True, output_bias=True)):
        decoder = Decoder(variant)
        shapes = {name: tuple(p.shape) for name, p in decoder.named_parameters()}
        assert shapes == dict(variant.parameters())
        assert list(decoder.state_dict()) == list(shapes)


SHAPED = {
    "vocab_size": 20,
    "hidden_size": 12,
    "intermediate_size": 8,
    "num_layers": 1,
    "num_heads": 2,
    "num_kv_heads": 1,
    "head_dim": 10,
    "max_positions": 16,
    "tie_embeddings": False,
}


@torch.no_grad()
def test_a_flat_batch_gives_the_logits_of_the_sequences(spec):
    decoder = Decoder(spec)
    tokens = torch.randint(0, 50, (3, 7))
    flat = decoder(tokens.flatten(), CausalAttention(3, 7, tokens.device))
    torch.testing.assert_close(flat.view(3, 7, -1), decoder(tokens))


@torch.no_grad()
def test_logits_of_chosen_rows(spec):
    decoder = Decoder(spec)
    tokens = torch.randint(0, 50, (2, 5))
    last = decoder.logits(decoder.hidden_states(tokens)[:, -1])
    torch.testing.assert_close(last, decoder(tokens)[:, -1])


@torch.no_grad()
def test_a_later_token_changes_no_earlier_logit(spec):
    decoder = Decoder(spec)
    tokens = torch.randint(0, 50, (1, 9))
    changed = tokens.clone()
    changed[0, 6] = (changed[0, 6] + 1) % 50
    before, after = decoder(tokens), decoder(changed)
    torch.testing.assert_close(before[:, :6], after[:, :6])
    assert not torch.allclose(before[:, 6], after[:, 6])


def test_initial_weights_keep_the_loss_at_that_of_a_guess(spec):
    torch.manual_seed(0)
    decoder = Decoder(spec)
    weights = dict(decoder.named_parameters())
    std = {name: p.std().item() for name, p in weights.items() if p.ndim == 2}
    assert std["model.layers.0.self_attn.q_proj.weight"] == pytest.approx(0.02, rel=0.1)
    assert std["model.layers.0.mlp.down_proj.weight"] == pytest.approx(0.01, rel=0.1)
    assert weights["model.norm.weight"].eq(1).all()
    tokens = torch.randint(0, 50, (8, 32))
    loss = F.cross_entropy(decoder(tokens).flatten(0, 1), torch.randint(0, 50, (8 * 32,)))
    assert loss.item() == pytest.approx(torch.tensor(50.0).log().item(), rel=0.02)


@pytest.mark.parametrize("autocast", [False, True])
def test_it_learns_a_sequence(spec, autocast):
    torch.manual_seed(0)
    decoder = Decoder(spec)
    optimizer = torch.optim.AdamW(decoder.parameters(), lr=1e-2)
    tokens = torch.randint(0, 50, (2, 16))
    for _ in range(40):
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            logits = decoder(tokens[:, :-1])
        loss = F.cross_entropy(logits.float().flatten(0, 1), tokens[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.2
    assert all(p.grad is not None and p.dtype == torch.float32 for p in decoder.parameters())


@torch.no_grad()
def test_bfloat16_rounds_the_weights_and_not_the_positions(spec):
    decoder = Decoder(spec)
    assert not list(decoder.buffers())  # a cast would round a table of frequencies
    tokens = torch.randint(0, 50, (1, 64))
    expected = decoder(tokens)
    logits = decoder.to(torch.bfloat16)(tokens)
    assert logits.dtype == torch.bfloat16
    assert (logits - expected).norm() < 0.02 * expected.norm()
