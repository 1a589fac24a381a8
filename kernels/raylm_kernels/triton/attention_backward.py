"""The gradients of attention, without sums that depend on who comes first: one kernel goes through
the queries of each tile of keys, another through the keys of each tile of queries."""

from collections.abc import Sequence

import torch
from torch import Tensor

from raylm_kernels.triton.attention_call import AttentionCall, Lists, in_rows
from raylm_kernels.triton.attention_keys_gradient import put_keys_gradients
from raylm_kernels.triton.attention_queries_gradient import put_queries_gradient
from raylm_kernels.triton.attention_rows import of_rows


def backward(
    call: AttentionCall,
    grads: Sequence[Tensor | None],
    results: Sequence[Tensor],
    by_query: Lists | None = None,
    by_key: Lists | None = None,
) -> list[Tensor]:
    """The gradients of queries, keys and values, from those of the results."""
    (grad, grad_sums), (out, sums) = grads, (result.contiguous() for result in results)
    grad = torch.zeros_like(out) if grad is None else in_rows(grad.contiguous())
    grad_sums = None if grad_sums is None else grad_sums.contiguous()
    found = [torch.empty_like(t, memory_format=torch.contiguous_format) for t in call.tensors]
    grad_q, grad_k, grad_v = found
    logs, delta = of_rows(call, out, sums, grad, grad_sums)
    put_queries_gradient(call, by_query, grad, logs, delta, grad_q)
    put_keys_gradients(call, by_key, grad, logs, delta, grad_k, grad_v)
    return found
