import os
import socket

import pytest

from raylm.core.errors import InUseError, UsageError
from raylm_apps.deploy.ports import free_ports, holder_of, require_free


@pytest.mark.parametrize("listen_on", ["127.0.0.1", "0.0.0.0"])
def test_a_port_in_use_names_the_port_and_its_holder(listen_on):
    with socket.socket() as listener:
        listener.bind((listen_on, 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(InUseError, match=rf"port {port} .*process {os.getpid()}.*--port"):
            require_free("127.0.0.1", port)
    require_free("127.0.0.1", port)


def test_a_port_just_given_up_is_free():
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            accepted, _ = listener.accept()
            accepted.close()  # the server side waits out TIME_WAIT
            client.recv(1)
    require_free("127.0.0.1", port)


def test_an_address_of_another_machine():
    with pytest.raises(UsageError, match=r"203\.0\.113\.7:8000.*--host"):
        require_free("203.0.113.7", 8000)


def test_nobody_holds_a_free_port():
    (port,) = free_ports(1)
    assert holder_of(port) is None


def test_free_ports_differ():
    assert len(set(free_ports(5))) == 5
