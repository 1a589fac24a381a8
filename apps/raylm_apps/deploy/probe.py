"""How the parts of a running stack are, asked over HTTP."""

import http.client
import urllib.error
import urllib.request

TIMEOUT_S = 3.0
PARTS = {"gateway": "/health/ready", "engine": "/engine/health"}


def probe(url: str) -> dict[str, str]:
    """Part -> `ready`, or what is wrong with it."""
    return {part: check(url + path) for part, path in PARTS.items()}


def check(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S):
            return "ready"
    except urllib.error.HTTPError as error:
        with error:
            return f"answers {error.code}"
    except urllib.error.URLError as error:
        return f"does not answer: {error.reason}"
    except (OSError, http.client.HTTPException) as error:
        return f"does not answer: {error}"
