"""The house rules that a machine can keep."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_imports_only_point_down() -> None:
    command = [Path(sys.executable).parent / "lint-imports", "--no-cache"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_the_gateway_and_the_help_load_neither_torch_nor_ray() -> None:
    script = (
        "import sys, raylm, raylm_apps.gateway.main, raylm_apps.cli.main\n"
        "print([m for m in ('torch', 'ray', 'triton', 'raylm_kernels') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_no_package_shadows_kernels_or_apps() -> None:
    assert not (ROOT / "kernels/__init__.py").exists()
    assert not (ROOT / "apps/__init__.py").exists()
    assert not list((ROOT / "tests").rglob("__init__.py"))
