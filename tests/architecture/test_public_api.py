import importlib
import subprocess
import sys

import pytest

import raylm


@pytest.mark.parametrize("name", raylm.__all__)
def test_every_public_name_loads(name: str) -> None:
    assert getattr(raylm, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'train_model'"):
        raylm.train_model  # noqa: B018


def test_a_serve_application_is_built_from_the_one_import() -> None:
    script = "import raylm; print(raylm.serve.build_app(raylm.ServeConfig()))"
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=True, capture_output=True)


@pytest.mark.parametrize("package", ["raylm", "raylm_kernels", "raylm.serve"])
def test_all_is_sorted_and_true(package: str) -> None:
    module = importlib.import_module(package)
    constants_then_classes_then_functions = sorted(
        module.__all__, key=lambda n: (not n.isupper(), not n[0].isupper(), n)
    )
    assert list(module.__all__) == constants_then_classes_then_functions
    assert all(hasattr(module, name) for name in module.__all__)
