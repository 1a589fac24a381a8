"""What a replica raised while starting, read back from the traceback that Ray Serve reports."""

import re

from raylm.core import errors
from raylm.core.errors import EngineError, RayLMError, RequestError

OURS = re.compile(rf"^{re.escape(errors.__name__)}\.(\w+): (.+)$", re.MULTILINE)


def failure_of(app: str, report: str) -> RayLMError:
    """Our own error as it was raised; any other as EngineError with its last line."""
    if raised := OURS.findall(report):
        name, message = raised[-1]
        kind = getattr(errors, name, RequestError)
        if not issubclass(kind, RequestError):
            error: RayLMError = kind(message)
            return error
    lines = [line.strip() for line in report.splitlines() if line.strip()]
    return EngineError(f"{app} did not start: {lines[-1] if lines else 'no reason given'}")
