import pytest

from raylm.runtime.session import ray_session


@pytest.fixture(scope="module")
def ray_cluster():
    """One private Ray for a module's tests; a fixture per test would cost seconds each."""
    with ray_session(cpus=8):
        yield
