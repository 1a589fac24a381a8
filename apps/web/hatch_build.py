"""A wheel carries the built web UI; an editable install leaves it to `make web`."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WebBuildHook(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        static = Path(self.root, "apps", "raylm_apps", "gateway", "static")
        if version == "editable" or (static / "index.html").is_file():
            return
        build = Path(self.root, "apps", "web", "build.py")
        if subprocess.run([sys.executable, build], check=False).returncode:
            raise SystemExit(
                "RayLM's wheel carries the web UI, which could not be built: see above."
            )
