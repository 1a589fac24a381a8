import pytest
import torch
from torch import nn

from raylm.core.errors import ConfigError
from raylm.core.schema import OptimizerConfig
from raylm.train.optimizers.algorithms import algorithm, is_elementwise, refuse_unsupported
from raylm.train.optimizers.build import build_optimizers
from raylm.train.optimizers.lamb import Lamb
from raylm.train.optimizers.lion import Lion

ELEMENTWISE = [
    ("adadelta", {}),
    ("adagrad", {}),
    ("adagrad", {"lr_decay": 0.1, "initial_accumulator_value": 0.1}),
    ("adam", {}),
    ("adam", {"amsgrad": True}),
    ("adam", {"decoupled_weight_decay": True, "foreach": True}),
    ("adamax", {}),
    ("adamw", {}),
    ("adamw", {"amsgrad": True, "foreach": False}),
    ("asgd", {"t0": 2}),
    ("lion", {}),
    ("nadam", {}),
    ("nadam", {"decoupled_weight_decay": True}),
    ("radam", {}),
    ("rmsprop", {}),
    ("rmsprop", {"centered": True}),
    ("rprop", {}),
    ("sgd", {}),
    ("sgd", {"nesterov": True}),
    ("sgd", {"dampening": 0.1, "foreach": True}),
]
WHOLE = [("adafactor", {}), ("lamb", {}), ("muon", {})]
REFUSED = {"lbfgs", "sparseadam"}


def five_steps(name, options, parts, gradients):
    """The rows of a matrix after five steps, updated in `parts` pieces."""
    config = OptimizerConfig(name=name, lr=0.01, momentum=0.9, options=options)
    torch.manual_seed(0)
    matrix = torch.randn(6, 37, dtype=torch.float64)
    pieces = [nn.Parameter(piece.clone()) for piece in matrix.chunk(parts)]
    (optimizer,) = build_optimizers({f"{i}.weight": p for i, p in enumerate(pieces)}, config)
    for gradient in gradients:
        for piece, part in zip(pieces, gradient.chunk(parts), strict=True):
            piece.grad = part.clone()
        optimizer.step()
    return torch.cat([piece.detach() for piece in pieces])


@pytest.fixture
def gradients():
    return torch.randn(5, 6, 37, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("name", "options"), ELEMENTWISE)
def test_an_elementwise_algorithm_updates_halves_as_it_does_the_whole(name, options, gradients):
    assert algorithm(name).elementwise
    whole, halves = (five_steps(name, options, parts, gradients) for parts in (1, 2))
    torch.testing.assert_close(halves, whole, rtol=0, atol=1e-12)
    torch.manual_seed(0)
    assert (whole - torch.randn(6, 37, dtype=torch.float64)).abs().min() > 0


@pytest.mark.parametrize(("name", "options"), WHOLE)
def test_any_other_algorithm_does_not(name, options, gradients):
    assert not algorithm(name).elementwise
    whole, halves = (five_steps(name, options, parts, gradients) for parts in (1, 2))
    assert (whole - halves).abs().max() > 1e-5


def test_every_class_of_torch_is_decided():
    """A new one counts as not elementwise until somebody has read it: add it above."""
    classes = {
        name.lower()
        for name, value in vars(torch.optim).items()
        if isinstance(value, type) and issubclass(value, torch.optim.Optimizer)
    }
    decided = {name for name, _ in ELEMENTWISE + WHOLE} | REFUSED
    assert classes - {"optimizer"} == decided - {"lion", "lamb"}


def test_names_are_found_in_any_case():
    assert algorithm("RMSprop").build is torch.optim.RMSprop
    assert algorithm("AdamW").name == "adamw"
    assert algorithm("LAMB").build is Lamb


@pytest.mark.parametrize("name", ["LBFGS", "sparseadam"])
def test_what_cannot_be_run_is_refused_with_a_remedy(name):
    with pytest.raises(ConfigError, match=rf"'{name}' is not supported: .*; use adam"):
        algorithm(name)


def test_an_unknown_name_gets_a_suggestion():
    with pytest.raises(ConfigError, match=r"'Lyon'; did you mean 'lion'\?"):
        algorithm("Lyon")
    with pytest.raises(ConfigError) as caught:
        algorithm("zzz")
    assert "lion" in str(caught.value)
    assert "lbfgs" not in str(caught.value)
    with pytest.raises(ConfigError):
        algorithm("optimizer")


def parameters():
    return [nn.Parameter(torch.ones(2))]


def test_a_subclass_is_not_elementwise_unless_it_says_so():
    class Own(torch.optim.AdamW):
        pass

    class OwnLion(Lion):
        pass

    class Declared(torch.optim.AdamW):
        elementwise = True

    class Denied(Declared):
        elementwise = False

    built = [cls(parameters()) for cls in (torch.optim.AdamW, Lion, Lamb)]
    assert [is_elementwise(optimizer) for optimizer in built] == [True, True, False]
    own = [cls(parameters()) for cls in (Own, OwnLion, Declared, Denied)]
    assert [is_elementwise(optimizer) for optimizer in own] == [False, False, True, False]


def test_an_own_optimizer_object_is_refused_by_its_class():
    class OwnLbfgs(torch.optim.LBFGS):
        pass

    refuse_unsupported(torch.optim.SGD(parameters(), lr=0.1))
    for cls in (torch.optim.LBFGS, OwnLbfgs, torch.optim.SparseAdam):
        with pytest.raises(ConfigError, match=f"'{cls.__name__}' is not supported"):
            refuse_unsupported(cls(parameters()))
