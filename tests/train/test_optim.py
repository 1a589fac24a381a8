import torch
from torch import nn

from raylm.core.schema import OptimizerConfig
from raylm.train.optim import build_optimizer, parameter_groups, set_learning_rate, state_tensors


def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2, bias=False))


def test_only_matrices_are_decayed():
    network = model()
    network[2].weight.requires_grad_(False)
    matrices, vectors = parameter_groups(network, 0.1)
    assert (matrices["weight_decay"], vectors["weight_decay"]) == (0.1, 0.0)
    assert [p.ndim for p in matrices["params"]] == [2]
    assert [p.ndim for p in vectors["params"]] == [1, 1, 1]


def test_the_update_is_adamw(monkeypatch):
    """Loshchilov and Hutter, 2019, algorithm 2, written out for one step."""
    network = model()
    config = OptimizerConfig(lr=0.1, weight_decay=0.5, betas=(0.8, 0.9), eps=1e-8)
    optimizer = build_optimizer(network, config)
    weight = network[0].weight
    before, gradient = weight.detach().clone(), torch.randn_like(weight)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    weight.grad = gradient
    set_learning_rate(optimizer, 0.01)
    optimizer.step()
    mean, square = 0.2 * gradient / (1 - 0.8), 0.1 * gradient**2 / (1 - 0.9)
    expected = before * (1 - 0.01 * 0.5) - 0.01 * mean / (square.sqrt() + 1e-8)
    torch.testing.assert_close(weight, expected)


def test_the_state_exists_by_name_before_the_first_step():
    network = model()
    optimizer = build_optimizer(network, OptimizerConfig())
    state = state_tensors(network, optimizer)
    kinds = ("exp_avg", "exp_avg_sq", "step")
    assert set(state) == {f"{k}/{name}" for k in kinds for name, _ in network.named_parameters()}
    network(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    assert state["step/0.weight"] == 1
    assert state["exp_avg/0.weight"].abs().sum() > 0
