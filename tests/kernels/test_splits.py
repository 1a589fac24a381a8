"""Into how many parts a sum is split among the programs that several GPUs run at once."""

import pytest

from raylm_kernels.triton.splits import splits_of

STEPS = 64


@pytest.mark.parametrize("processors", [1, 20, 108, 132, 144])
@pytest.mark.parametrize("tiles", [1, 7, 32, 112, 132, 448, 5000])
def test_splits_are_few_and_each_has_steps_to_do(tiles, processors):
    for steps in (1, 3, 8, STEPS):
        assert 1 <= splits_of(tiles, steps, processors) <= max(1, min(8, steps // 4))


def test_a_smaller_gpu_is_busy_with_fewer():
    assert splits_of(32, STEPS, 132) == 8
    assert splits_of(32, STEPS, 20) < splits_of(32, STEPS, 132)
    assert splits_of(32, STEPS, 1) == 1


def test_what_keeps_all_busy_is_not_split():
    assert splits_of(3 * 108, STEPS, 108) == 1
    assert splits_of(3 * 108, STEPS, 132) > 1


@pytest.mark.parametrize("processors", [20, 108, 132])
def test_no_split_that_leaves_fewer_idle_is_passed_over_unless_nearly_all_are_busy(processors):
    def busy(splits, tiles):
        programs = tiles * splits
        return programs / (max(-(-programs // processors), 3) * processors)

    for tiles in range(1, 200):
        chosen = splits_of(tiles, STEPS, processors)
        best = max(busy(splits, tiles) for splits in range(1, 9))
        assert busy(chosen, tiles) >= min(best, 0.95)
