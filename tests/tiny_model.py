"""A tiny model of random weights in a Hugging Face folder, which any process can load."""

import json

import torch
from safetensors.torch import save_file

from raylm.data.tokenizer import Tokenizer
from raylm.models.decoder import Decoder
from raylm.models.hf_config import spec_from_hf

TEXTS = ["the quick brown fox jumps over the lazy dog"]
TEMPLATE = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"


def write_tiny_model(folder, *, seed=0, max_positions=4096):
    """Of different seeds, models say different things. Returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer.train_bpe(TEXTS, 320)
    config = {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "vocab_size": tokenizer.vocab_size,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": max_positions,
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": True,
    }
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, tensor in Decoder(spec_from_hf(config)).state_dict().items():
        noise = torch.randn(tensor.shape, generator=generator)
        state[name] = 0.2 * noise if tensor.ndim == 2 else 1 + 0.1 * noise
    save_file(state, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    tokenizer.save(folder)
    return folder
