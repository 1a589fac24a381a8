import math

import pytest
import torch
from torch import nn

from raylm.train.optimizers.lamb import Lamb

LR, BETAS, EPS, DECAY = 0.01, (0.9, 0.95), 1e-6, 0.1


def reference(values, gradients):
    """You et al. 2019, algorithm 2, for one tensor."""
    count = len(values)
    means, squares = [0.0] * count, [0.0] * count
    for t, gradient in enumerate(gradients, start=1):
        updates = []
        for i, g in enumerate(gradient):
            means[i] = BETAS[0] * means[i] + (1 - BETAS[0]) * g
            squares[i] = BETAS[1] * squares[i] + (1 - BETAS[1]) * g * g
            mean, square = means[i] / (1 - BETAS[0] ** t), squares[i] / (1 - BETAS[1] ** t)
            updates.append(mean / (math.sqrt(square) + EPS) + DECAY * values[i])
        ratio = math.hypot(*values) / math.hypot(*updates)
        values = [v - LR * ratio * u for v, u in zip(values, updates, strict=True)]
    return values


def test_twenty_steps_are_the_papers():
    torch.manual_seed(0)
    parameters = [nn.Parameter(torch.randn(size, dtype=torch.float64)) for size in (7, 3)]
    starts = [p.tolist() for p in parameters]
    gradients = [torch.randn(20, p.numel(), dtype=torch.float64) for p in parameters]
    optimizer = Lamb(parameters, lr=LR, betas=BETAS, eps=EPS, weight_decay=DECAY)
    for step in range(20):
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient[step].clone()
        optimizer.step()
    for parameter, start, gradient in zip(parameters, starts, gradients, strict=True):
        expected = torch.tensor(reference(start, gradient.tolist()), dtype=torch.float64)
        torch.testing.assert_close(parameter.detach(), expected, rtol=0, atol=1e-12)


def test_the_first_step_moves_by_lr_times_the_length_of_the_weights():
    parameter = nn.Parameter(torch.tensor([[3.0, 0.0], [0.0, 4.0]]))
    before = parameter.detach().clone()
    parameter.grad = torch.randn(2, 2)
    Lamb([parameter], lr=0.1).step()
    assert (parameter - before).norm().item() == pytest.approx(0.1 * 5.0)


def test_zero_weights_move_as_adams_do():
    parameter = nn.Parameter(torch.zeros(2))
    parameter.grad = torch.tensor([3.0, -2.0])
    Lamb([parameter], lr=0.1).step()
    assert parameter.tolist() == pytest.approx([-0.1, 0.1], rel=1e-5)


def test_a_zero_update_leaves_the_weights():
    parameter = nn.Parameter(torch.ones(2))
    parameter.grad = torch.zeros(2)
    Lamb([parameter], lr=0.1).step()
    assert parameter.tolist() == [1.0, 1.0]


def test_steps_count_per_parameter():
    early, late = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    optimizer = Lamb([early, late], lr=0.1)
    early.grad = torch.ones(2)
    optimizer.step()
    assert late not in optimizer.state
    late.grad = torch.ones(2)
    optimizer.step()
    assert [optimizer.state[p]["step"].item() for p in (early, late)] == [2, 1]
    assert late.tolist() == pytest.approx([0.9, 0.9])


def test_a_closure_is_evaluated_with_gradients_and_its_loss_returned():
    parameter = nn.Parameter(torch.tensor([2.0]))
    optimizer = Lamb([parameter], lr=0.5)

    def closure():
        optimizer.zero_grad()
        loss = parameter.square().sum()
        loss.backward()
        return loss.item()

    assert optimizer.step(closure) == 4.0
    assert parameter.item() == pytest.approx(1.0)


def test_betas_are_below_one():
    with pytest.raises(ValueError, match=r"betas \(1.0, 0.9\)"):
        Lamb([nn.Parameter(torch.ones(1))], betas=(1.0, 0.9))
