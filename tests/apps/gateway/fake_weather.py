"""open-meteo as far as the weather tool knows it, over real HTTP."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

CITIES = {"San Francisco": (37.77, -122.42, 17.0), "Paris": (48.85, 2.35, 11.5)}


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        if path == "/redirect":
            self.send_response(302)
            self.send_header("location", "http://169.254.169.254/latest/meta-data")
            self.end_headers()
        elif path == "/broken":
            self._answer(b"<html>")
        elif path == "/search":
            found = CITIES.get(query["name"][0])
            place = found and {
                "name": query["name"][0],
                "latitude": found[0],
                "longitude": found[1],
            }
            self._answer({"results": [place]} if place else {})
        else:
            latitude = float(query["latitude"][0])
            degrees = next((t for lat, _, t in CITIES.values() if lat == latitude), -3.0)
            self._answer({"latitude": latitude, "current": {"temperature_2m": degrees}})

    def _answer(self, body: Any) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def weather_server() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
