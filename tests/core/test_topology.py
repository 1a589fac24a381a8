from raylm.core.topology import Topology


def test_the_ranks_of_a_stage_are_neighbours():
    topology = Topology(tensor=3, pipeline=2)
    assert topology.world_size == 6
    assert topology.stages == [range(3), range(3, 6)]
    assert [topology.stage(rank) for rank in range(6)] == [0, 0, 0, 1, 1, 1]
    assert [topology.tensor_rank(rank) for rank in range(6)] == [0, 1, 2, 0, 1, 2]
