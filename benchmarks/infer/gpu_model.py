"""The model that decodes on a GPU: the sizes of Llama 3.2 1B, its weights random."""

from raylm.models.spec import ModelSpec

SPEC = ModelSpec(
    vocab_size=128_256,
    hidden_size=2048,
    intermediate_size=8192,
    num_layers=16,
    num_heads=32,
    num_kv_heads=8,
    head_dim=64,
    max_positions=4096,
    rope_theta=500_000.0,
    tie_embeddings=True,
)
PROMPT_TOKENS = 256
BLOCK_SIZE = 16
