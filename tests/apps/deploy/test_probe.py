import http.server
import threading

import pytest

from raylm_apps.deploy.ports import free_ports
from raylm_apps.deploy.probe import probe


class Half(http.server.BaseHTTPRequestHandler):
    """The gateway is well, the engine is not."""

    def do_GET(self):
        self.send_response(200 if self.path == "/health/ready" else 503)
        self.end_headers()

    def log_message(self, *words):
        pass


@pytest.fixture
def half():
    with http.server.HTTPServer(("127.0.0.1", 0), Half) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_each_part_is_told(half):
    assert probe(half) == {"gateway": "ready", "engine": "answers 503"}


def test_nobody_there():
    (port,) = free_ports(1)
    state = probe(f"http://127.0.0.1:{port}")
    assert set(state) == {"gateway", "engine"}
    assert all("does not answer" in answer for answer in state.values())
