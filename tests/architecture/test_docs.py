"""What the documents say exists."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import typer

from raylm_apps.cli.main import app

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
COMMANDS = sorted(set(re.findall(r"^(?:\$ )?((?:raylm|make) [^\n#]*)", README, re.MULTILINE)))


def test_the_readme_has_commands() -> None:
    assert len(COMMANDS) >= 6


@pytest.mark.parametrize("command", COMMANDS)
def test_every_readme_command_exists(command: str) -> None:
    program, *words = shlex.split(command)
    if program == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert words[0] in targets
        return
    verb = typer.main.get_command(app).commands[words[0]]
    known = {option for parameter in verb.params for option in parameter.opts}
    assert [word for word in words if word.startswith("-") and word not in known] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_config_in_the_readme_exists(command: str) -> None:
    named = [word for word in shlex.split(command) if word.startswith("configs/")]
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_verb_has_an_example() -> None:
    verbs = typer.main.get_command(app).commands
    assert [name for name, verb in verbs.items() if f"Example: raylm {name}" not in verb.help] == []


def test_the_tree_in_architecture_is_the_real_one() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    drawn = set(re.findall(r"^((?:raylm|kernels|apps)/(?:\w+/)*) ", text, re.MULTILINE))
    real = {
        f"{path.parent.relative_to(ROOT)}/"
        for root in ("raylm", "kernels/raylm_kernels", "apps/raylm_apps")
        for path in (ROOT / root).rglob("*.py")
    }
    assert drawn - {"apps/web/", "apps/examples/"} == real


def test_local_links_lead_somewhere() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    broken = []
    for name in tracked.stdout.split():
        page = ROOT / name
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            if not (page.parent / target).exists():
                broken.append(f"{name}: {target}")
    assert broken == []
