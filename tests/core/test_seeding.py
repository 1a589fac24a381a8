from itertools import combinations

from raylm.core.seeding import derive_seed


def test_seeds_are_stable_across_machines_and_versions() -> None:
    assert derive_seed(0, "shuffle", 0) == 2820005402495240812


def test_purposes_do_not_collide() -> None:
    seeds = [
        derive_seed(seed, purpose, rank) for seed in (0, 1) for purpose in "ab" for rank in (0, 1)
    ]
    assert all(a != b for a, b in combinations(seeds, 2))
    assert all(0 <= seed < 2**63 for seed in seeds)
