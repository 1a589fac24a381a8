"""The fused decoder against the plain one, for every kind of model; also by Triton's kernels, as
Python."""

from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from raylm.infer.runners.batch import Batch
from raylm.infer.runners.decode_inputs import DecodeInputs
from raylm.infer.runners.fused_attention import FusedAttention
from raylm.infer.runners.fused_decoder import FusedDecoder
from raylm.models.decoder import Decoder
from raylm.nn.rope_scaling import Llama3Scaling, YarnScaling
from raylm_kernels import catalog
from tests.infer.runners.test_stage import BATCHES, FIRST, SECOND, batch
from tests.parallel.split_models import SPECS, relative_error, source, spec, whole_logits

registry = catalog.registry
BLOCK_SIZE, NUM_BLOCKS = 4, 12
MODELS = SPECS | {
    "yarn": spec(rope_scaling=YarnScaling(4.0, 16)),
    "llama3": spec(rope_scaling=Llama3Scaling(8.0, 1.0, 4.0, 16)),
}
needs_triton = pytest.mark.skipif(
    "triton" not in registry.entry("paged_decode_attention").implementations
    or torch.cuda.is_available(),
    reason="needs Triton, as Python",
)


@pytest.fixture
def triton_on_the_cpu(monkeypatch):
    """Where there is a Triton kernel for an op, it serves."""
    for op in registry.ops():
        known = registry.entry(op).implementations
        for name, one in known.items():
            if name.startswith("triton"):
                anywhere = replace(one, device="cpu", capability=None, priority=99)
                monkeypatch.setitem(known, name, anywhere)
    default = registry._default
    monkeypatch.setattr(default, "_settled", {})
    monkeypatch.setattr(default, "_times", lambda *_: {})  # the priority decides


def new_cache(model):
    slots = (NUM_BLOCKS + 1) * BLOCK_SIZE
    return torch.zeros(model.num_layers, 2, slots, model.num_kv_heads, model.head_dim)


@torch.inference_mode()
def answers(model, batches):
    """The logits that each batch asks for, of one cache."""
    decoder, cache = Decoder.from_source(source(model)), new_cache(model)
    fused = FusedDecoder(decoder)
    for given in batches:
        attention = FusedAttention.of(given, cache, BLOCK_SIZE)
        hidden = fused.hidden_states(given.tokens_N, attention)
        yield decoder.logits(hidden[given.logit_rows_R])


def expected(model, given: Batch):
    """Of the whole sequence, at once."""
    wholes = [whole_logits(model, torch.tensor([tokens])) for tokens in (FIRST, SECOND)]
    positions, starts = given.positions_N, given.sequence_starts_S1.tolist()
    owners = [0 if row == 5 else 1 for row in given.block_tables_SB[:, 0].tolist()]
    rows = given.logit_rows_R.tolist()
    whose = [next(s for s, end in enumerate(starts[1:]) if row < end) for row in rows]
    found = [wholes[owners[s]][positions[row]] for row, s in zip(rows, whose, strict=True)]
    return torch.stack(found) if found else wholes[0][:0]


def assert_equals_the_plain_one(model):
    for given, found in zip(BATCHES, answers(model, BATCHES), strict=True):
        wanted = expected(model, given)
        assert found.shape == wanted.shape
        if len(wanted):
            assert relative_error(found, wanted) < 1e-5


@pytest.mark.parametrize("name", MODELS)
def test_prefills_and_decodes_equal_those_of_the_plain_decoder(name):
    assert_equals_the_plain_one(MODELS[name])


@needs_triton
@pytest.mark.parametrize("name", ["biases", "qk norm", "no size divides", "yarn"])
def test_so_they_do_by_the_kernels_in_triton(name, triton_on_the_cpu):
    assert_equals_the_plain_one(MODELS[name])
    chosen = registry._default._settled.values()
    used = {one.op for one in chosen if one.name.startswith("triton")}
    assert {"paged_attention", "paged_decode_attention", "linear_add"} <= used


@torch.inference_mode()
def test_a_recorded_step_reads_nothing_but_its_inputs():
    """Rows that fill the batch up, a token that is on the device alone, tables that are longer."""
    model = MODELS["plain"]
    decoder, cache = Decoder.from_source(source(model)), new_cache(model)
    fused = FusedDecoder(decoder)
    for given in BATCHES[:3]:
        fused.hidden_states(given.tokens_N, FusedAttention.of(given, cache, BLOCK_SIZE))
    given = BATCHES[3]
    drawn = torch.tensor([7, int(given.tokens_N[1])])
    asked = replace(given, tokens_N=given.tokens_N.clone(), drawn_ids_D=drawn)
    asked.tokens_N[1] = -2
    inputs = DecodeInputs.of(asked, 4, 4, 8, block_size=BLOCK_SIZE, spare_block=NUM_BLOCKS)
    inputs.drawn_D[:2] = drawn
    assert inputs.tokens()[:2].tolist() == given.tokens_N.tolist()

    kept = cache.clone()
    attention = FusedAttention.of_decodes(inputs, cache, BLOCK_SIZE)
    found = fused.logits(inputs.tokens(), attention)
    assert relative_error(found[:2], expected(model, given)) < 1e-5
    assert found.isfinite().all()
    written = (cache != kept).flatten(3).any(-1).any(0).any(0).nonzero().flatten().tolist()
    spare = NUM_BLOCKS * BLOCK_SIZE
    assert written == sorted([*inputs.slots_S[:2].tolist(), spare])


def test_merged_weights_are_those_of_the_decoder():
    decoder = Decoder(MODELS["biases"], seed=3)
    before = {name: tensor.clone() for name, tensor in decoder.state_dict().items()}
    layer = FusedDecoder(decoder)._layers[1]
    for name, tensor in decoder.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    with torch.no_grad():
        decoder.model.layers[1].self_attn.v_proj.weight.fill_(3.0)
        decoder.model.layers[1].self_attn.k_proj.bias.fill_(2.0)
    rows = MODELS["biases"].num_kv_heads * MODELS["biases"].head_dim
    assert (layer.qkv[-rows:] == 3.0).all()
    assert (layer.qkv_bias[-2 * rows : -rows] == 2.0).all()


class Dispatched(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.functions = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if not function.is_view:
            self.functions.append(str(function))
        return function(*args, **(kwargs or {}))


@torch.inference_mode()
def test_a_step_is_few_operations():
    """Counted as torch dispatches them: five for a layer, beside views."""
    counts = []
    for layers in (1, 2):
        model = spec(num_layers=layers)
        fused, cache = FusedDecoder(Decoder(model, seed=1)), new_cache(model)
        inputs = DecodeInputs.of(
            batch((FIRST, [0], 0, 1, True)), 1, 1, 1, block_size=4, spare_block=NUM_BLOCKS
        )
        attention = FusedAttention.of_decodes(inputs, cache, BLOCK_SIZE)
        with Dispatched() as dispatched:
            fused.logits(inputs.tokens(), attention)
        counts.append(len(dispatched.functions))
    assert counts[1] - counts[0] <= 5
    assert counts[0] <= 8
