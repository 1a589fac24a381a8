"""The runner over int8 or int4 weights: a whole step in one call into the CPU kernels."""

from torch import Tensor

from raylm.infer.runners.batch import Batch
from raylm.infer.runners.runner import use_threads
from raylm.infer.sampling.likeliest import Likeliest
from raylm.models.source import ModelSource
from raylm.models.spec import ModelSpec
from raylm.nn.rope_scaling import inverse_frequencies
from raylm_kernels.cpu.decoder import DecoderDims, KvBits, PackedDecoder
from raylm_kernels.quantize import WeightBits


class PackedRunner:
    lead = 0
    has_hidden = True

    def __init__(
        self,
        source: ModelSource,
        *,
        weight_bits: WeightBits,
        num_blocks: int,
        block_size: int,
        threads: int,
        head_bits: WeightBits = 8,
        kv_bits: KvBits = 16,
    ) -> None:
        self.num_blocks = num_blocks
        self.block_size = block_size
        self._threads = threads
        use_threads(threads)
        self._decoder = PackedDecoder(
            decoder_dims(source.spec),
            source.weights,
            weight_bits=weight_bits,
            head_bits=head_bits,
            threads=threads,
            num_blocks=num_blocks,
            block_size=block_size,
            kv_bits=kv_bits,
            fingerprint=source.weights.fingerprint,
        )

    @staticmethod
    def token_bytes(spec: ModelSpec, kv_bits: KvBits = 16) -> int:
        """What one token takes in the cache."""
        return decoder_dims(spec).cache_bytes(kv_bits)

    def forward(self, batch: Batch) -> Tensor:
        use_threads(self._threads)
        return self._decoder.forward(*_arrays(batch))

    def likeliest(self, batch: Batch) -> Likeliest:
        """Found while the logits are computed, of which none is kept."""
        logits_R1, ids_R1 = self._decoder.forward_top(*_arrays(batch))
        return Likeliest(logits_R1.flatten(), ids_R1.flatten())

    def hidden(self, batch: Batch) -> Tensor:
        use_threads(self._threads)
        return self._decoder.forward_hidden(*_arrays(batch))


def _arrays(batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    return (
        batch.tokens_N,
        batch.positions_N,
        batch.sequence_starts_S1,
        batch.block_tables_SB,
        batch.logit_rows_R,
    )


def decoder_dims(spec: ModelSpec) -> DecoderDims:
    """Raises ValueError, naming the size, for a shape the kernels do not cover."""
    scaling = spec.rope_scaling
    return DecoderDims(
        vocab_size=spec.vocab_size,
        hidden_size=spec.hidden_size,
        intermediate_size=spec.intermediate_size,
        num_layers=spec.num_layers,
        num_heads=spec.num_heads,
        num_kv_heads=spec.num_kv_heads,
        head_dim=spec.head_dim,
        norm_eps=spec.norm_eps,
        inv_freq=inverse_frequencies(spec.head_dim, spec.rope_theta, scaling),
        rope_attention_factor=1.0 if scaling is None else scaling.amplitude,
        qk_norm=spec.qk_norm,
        attention_bias=spec.attention_bias,
        tie_embeddings=spec.tie_embeddings,
    )
