import pytest
import torch
from torch import nn

from raylm.train.communicator import Communicator
from raylm.train.gradients import GradientBuckets


def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1))


def backward(network, buckets, last=True):
    with buckets.reduced(last):
        network(torch.ones(4, 8)).sum().backward()


class Recorder(Communicator):
    """A world in which the bytes of every all_reduce are noted and nothing is changed."""

    def __init__(self):
        super().__init__()
        self.reduced = []

    def start_all_reduce(self, tensor):
        self.reduced.append(tensor.nbytes)


@pytest.mark.parametrize("bucket_bytes", [1, 300, 2**20])
def test_gradients_are_autograds_whatever_the_buckets(bucket_bytes):
    plain, bucketed = model(), model()
    plain(torch.ones(4, 8)).sum().backward()
    buckets = GradientBuckets(bucketed.parameters(), Communicator(), bucket_bytes)
    backward(bucketed, buckets)
    for expected, found in zip(plain.parameters(), bucketed.parameters(), strict=True):
        assert torch.equal(expected.grad, found.grad)
    norm = nn.utils.get_total_norm([p.grad for p in plain.parameters()])
    assert buckets.norm() == pytest.approx(norm.item(), rel=1e-6)
    assert buckets.size_bytes == sum(p.nbytes for p in plain.parameters())


def test_passes_accumulate_until_cleared_and_scale_together():
    network = model()
    buckets = GradientBuckets(network.parameters(), Communicator())
    backward(network, buckets)
    once = network[0].weight.grad.clone()
    backward(network, buckets)
    torch.testing.assert_close(network[0].weight.grad, 2 * once)
    buckets.scale(0.5)
    torch.testing.assert_close(network[0].weight.grad, once)
    buckets.clear()
    assert buckets.norm() == 0.0


def test_only_the_last_pass_communicates_and_each_bucket_once():
    network, world = model(), Recorder()
    buckets = GradientBuckets(network.parameters(), world, bucket_bytes=300)
    assert len(buckets.buckets) > 2
    backward(network, buckets, last=False)
    assert world.reduced == []
    backward(network, buckets, last=True)
    assert world.reduced == [bucket.flat.nbytes for bucket in buckets.buckets]


def test_reduction_starts_before_the_backward_pass_ends():
    network, world = model(), Recorder()
    buckets = GradientBuckets(network.parameters(), world, bucket_bytes=1)
    seen = []
    network[0].weight.register_post_accumulate_grad_hook(lambda _: seen.append(len(world.reduced)))
    backward(network, buckets)
    assert seen[0] >= len(buckets.buckets) - 2


def test_an_unused_parameter_holds_nothing_up():
    network, world = model(), Recorder()
    spare = nn.Parameter(torch.ones(3))
    buckets = GradientBuckets([spare, *network.parameters()], world, bucket_bytes=1)
    backward(network, buckets)
    assert len(world.reduced) == len(buckets.buckets)
    assert spare.grad.abs().sum() == 0


def test_tied_weights_are_reduced_once_with_both_gradients():
    tied = nn.Linear(4, 4, bias=False)
    world = Recorder()
    buckets = GradientBuckets(tied.parameters(), world)
    x = torch.ones(1, 4)
    with buckets.reduced(last=True):
        tied(tied(x)).sum().backward()
    assert world.reduced == [64]
    expected = torch.autograd.functional.jacobian(lambda w: (x @ w.T @ w.T).sum(), tied.weight)
    torch.testing.assert_close(tied.weight.grad, expected)
