import pytest
import torch

from raylm.nn.attention import Attention, CausalAttention
from raylm.nn.rope import Rope


def one_by_one(q_THD, k_TKD, v_TKD):
    """Softmax attention of one sequence, a head and a token at a time."""
    out = torch.empty_like(q_THD)
    group = q_THD.shape[1] // k_TKD.shape[1]
    for t in range(q_THD.shape[0]):
        for head in range(q_THD.shape[1]):
            keys, values = k_TKD[: t + 1, head // group], v_TKD[: t + 1, head // group]
            scores = keys @ q_THD[t, head] / q_THD.shape[2] ** 0.5
            out[t, head] = torch.softmax(scores, 0) @ values
    return out


@pytest.mark.parametrize("kv_heads", [1, 2, 6])
def test_causal_attention_equals_the_loop(kv_heads):
    batch, length = 3, 5
    q, k, v = (torch.randn(batch * length, heads, 4) for heads in (6, kv_heads, kv_heads))
    out = CausalAttention(batch, length, q.device).attend(0, q, k, v)
    for sequence in torch.arange(batch * length).split(length):
        expected = one_by_one(q[sequence], k[sequence], v[sequence])
        torch.testing.assert_close(out[sequence], expected)


def test_positions_restart_in_each_sequence():
    assert CausalAttention(2, 3, torch.device("cpu")).positions.tolist() == [0, 1, 2, 0, 1, 2]


class Recorder:
    """A context that keeps what it was given and answers with the queries."""

    def __init__(self, positions):
        self.positions = positions
        self.calls = []

    def attend(self, layer, q_NHD, k_NKD, v_NKD):
        self.calls.append((layer, q_NHD, k_NKD, v_NKD))
        return q_NHD


@pytest.mark.parametrize("qk_norm_eps", [None, 1e-6])
def test_the_context_sees_rotated_keys_and_plain_values(qk_norm_eps):
    attention = Attention(12, 4, 2, 6, bias=True, qk_norm_eps=qk_norm_eps)
    context = Recorder(torch.tensor([5, 0, 9]))
    rotate = Rope(6, 10_000.0, None).at(context.positions)
    x = torch.randn(3, 12)
    y = attention(x, rotate, context, layer=7)
    ((layer, q, k, v),) = context.calls
    assert (layer, q.shape, k.shape, v.shape) == (7, (3, 4, 6), (3, 2, 6), (3, 2, 6))
    torch.testing.assert_close(v, attention.v_proj(x).view(3, 2, 6))
    torch.testing.assert_close(k, rotate(attention.k_norm(attention.k_proj(x).view(3, 2, 6))))
    torch.testing.assert_close(y, attention.o_proj(q.flatten(1)))
    if qk_norm_eps is not None:
        torch.testing.assert_close(q.square().mean(-1), torch.ones(3, 4), rtol=1e-3, atol=1e-3)
