"""The head's loss without its logits: its value, its gradients, and how often they can be had."""

import pytest
import torch
from torch.nn.functional import cross_entropy, linear

from raylm_kernels import ArgumentError, linear_cross_entropy_sum
from raylm_kernels.cpu import loss as compiled_loss
from raylm_kernels.reference import loss


def inputs(dtype=torch.float32):
    torch.manual_seed(0)
    hidden = torch.randn(50, 16, dtype=dtype, requires_grad=True)
    weight = torch.randn(99, 16, dtype=dtype, requires_grad=True)
    targets = torch.randint(99, (50,))
    targets[::7] = -100
    return hidden, weight, targets


@pytest.fixture(autouse=True, params=["whole", "in parts"])
def _parts(request, monkeypatch):
    if request.param == "in parts":
        monkeypatch.setattr(loss, "_LEAST_CHUNK_BYTES", 0)
        assert len(list(loss.chunks(50, 99))) == 10


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_value_and_gradients_are_those_of_whole_logits(dtype):
    hidden, weight, targets = inputs(dtype)
    value = linear_cross_entropy_sum(hidden, weight, targets)
    value.mul(0.5).backward()
    found = hidden.grad, weight.grad
    hidden.grad = weight.grad = None
    logits = linear(hidden, weight)
    expected = cross_entropy(logits.float(), targets, reduction="sum", ignore_index=-100)
    expected.mul(0.5).backward()
    close = (
        {"rtol": 3e-2, "atol": 3e-2} if dtype == torch.bfloat16 else {"rtol": 1e-4, "atol": 1e-5}
    )
    for one, wanted in zip(found, (hidden.grad, weight.grad), strict=True):
        torch.testing.assert_close(one, wanted, **close)
    with torch.no_grad():
        alone = linear_cross_entropy_sum(hidden, weight, targets)
    for one in (value, alone):
        torch.testing.assert_close(one.float(), expected.float(), rtol=1e-3, atol=0)


def test_a_token_that_does_not_exist_is_named_by_its_place(compiled):
    hidden, weight, targets = inputs()
    targets[41] = 99
    expected = (
        r"linear_cross_entropy_gradients: targets_N\[41\]: expected -100 or a token in \[0, 99"
    )
    with pytest.raises(ArgumentError, match=expected):
        compiled_loss.linear_cross_entropy_gradients(
            hidden.detach(), weight.detach(), targets, torch.ones(50)
        )


def test_weights_of_tokens():
    hidden, weight, targets = inputs()
    shares = torch.rand(50)
    found = linear_cross_entropy_sum(hidden, weight, targets, shares)
    losses = cross_entropy(linear(hidden, weight), targets, reduction="none", ignore_index=-100)
    torch.testing.assert_close(found, losses @ shares)


def test_a_second_backward_pass_is_refused_with_the_reason():
    hidden, weight, targets = inputs()
    loss = linear_cross_entropy_sum(hidden, weight, targets)
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="compute the loss again"):
        loss.backward()


def test_gradients_accumulate():
    hidden, weight, targets = inputs()
    for _ in range(2):
        linear_cross_entropy_sum(hidden, weight, targets).backward()
    twice = weight.grad.clone()
    weight.grad = None
    linear_cross_entropy_sum(hidden, weight, targets).backward()
    torch.testing.assert_close(twice, 2 * weight.grad)


def test_only_one_of_both_is_trained():
    hidden, weight, targets = inputs()
    linear_cross_entropy_sum(hidden.detach(), weight, targets).backward()
    assert weight.grad is not None
    assert hidden.grad is None


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
def test_it_compiles_whole():
    hidden, weight, targets = inputs()

    def step(hidden, weight, targets):
        return linear_cross_entropy_sum(hidden * 2, weight, targets)

    expected = step(hidden, weight, targets)
    expected.backward()
    wanted = hidden.grad.clone(), weight.grad.clone()
    hidden.grad = weight.grad = None
    found = torch.compile(step, fullgraph=True, backend="aot_eager")(hidden, weight, targets)
    found.backward()
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close((hidden.grad, weight.grad), wanted, rtol=1e-4, atol=1e-5)
