import sys

import pytest

from raylm.runtime.rendezvous import Rendezvous, interface_of


def test_each_epoch_has_its_own_invitations():
    meeting = Rendezvous("127.0.0.1", timeout_s=5)
    first, second = meeting.next_epoch([2, 2, 1]), meeting.next_epoch([2, 2])
    assert [i.rank for i in first] == [0, 1, 2]
    assert {i.world_size for i in first} == {3}
    assert [i.local_world_size for i in first] == [2, 2, 1]
    assert {i.epoch for i in first} == {0}
    assert {i.epoch for i in second} == {1}
    assert {i.port for i in (*first, *second)} == {first[0].port}


@pytest.mark.skipif(sys.platform != "linux", reason="interface names are Linux's")
def test_the_interface_of_an_address_is_found():
    assert interface_of("127.0.0.1") == "lo"
    assert interface_of("203.0.113.7") is None
