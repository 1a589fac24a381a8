import math

import pytest
import torch
from torch import nn

from raylm.train.optimizers.lion import Lion

LR, BETAS, DECAY = 0.01, (0.9, 0.99), 0.1


def reference(values, gradients):
    """Chen et al. 2023, algorithm 2, one element at a time."""
    momenta = [0.0] * len(values)
    for gradient in gradients:
        for i, g in enumerate(gradient):
            direction = math.copysign(1.0, BETAS[0] * momenta[i] + (1 - BETAS[0]) * g)
            values[i] -= LR * (direction + DECAY * values[i])
            momenta[i] = BETAS[1] * momenta[i] + (1 - BETAS[1]) * g
    return values


def test_twenty_steps_are_the_papers():
    torch.manual_seed(0)
    parameters = [nn.Parameter(torch.randn(size, dtype=torch.float64)) for size in (7, 3)]
    starts = [p.tolist() for p in parameters]
    gradients = [torch.randn(20, p.numel(), dtype=torch.float64) for p in parameters]
    optimizer = Lion(parameters, lr=LR, betas=BETAS, weight_decay=DECAY)
    for step in range(20):
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient[step].clone()
        optimizer.step()
    for parameter, start, gradient in zip(parameters, starts, gradients, strict=True):
        expected = torch.tensor(reference(start, gradient.tolist()), dtype=torch.float64)
        torch.testing.assert_close(parameter.detach(), expected, rtol=0, atol=1e-12)


def test_a_parameter_without_gradient_stays():
    with_gradient, without = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    with_gradient.grad = torch.ones(2)
    optimizer = Lion([{"params": [with_gradient]}, {"params": [without]}], lr=0.1, weight_decay=1.0)
    optimizer.step()
    assert with_gradient.tolist() == pytest.approx([0.8, 0.8])
    assert without.tolist() == [1.0, 1.0]
    assert without not in optimizer.state


def test_a_closure_is_evaluated_with_gradients_and_its_loss_returned():
    parameter = nn.Parameter(torch.tensor([2.0]))
    optimizer = Lion([parameter], lr=0.5)

    def closure():
        optimizer.zero_grad()
        loss = parameter.square().sum()
        loss.backward()
        return loss.item()

    assert optimizer.step(closure) == 4.0
    assert parameter.item() == 1.5


def test_the_state_can_be_restored():
    torch.manual_seed(0)
    gradients = torch.randn(6, 5)
    whole, first, second = (nn.Parameter(torch.ones(5)) for _ in range(3))

    def run(parameter, optimizer, steps):
        for step in steps:
            parameter.grad = gradients[step].clone()
            optimizer.step()
        return optimizer

    run(whole, Lion([whole], lr=0.1), range(6))
    stopped = run(first, Lion([first], lr=0.1), range(3))
    second.data.copy_(first.data)
    resumed = Lion([second], lr=0.1)
    resumed.load_state_dict(stopped.state_dict())
    run(second, resumed, range(3, 6))
    assert torch.equal(second, whole)


def test_betas_are_below_one():
    with pytest.raises(ValueError, match=r"betas \(0.9, 1.0\)"):
        Lion([nn.Parameter(torch.ones(1))], betas=(0.9, 1.0))
