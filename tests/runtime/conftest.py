import pytest

from tests.clusters import keep_ray


@pytest.fixture(scope="module")
def ray_cluster(request):
    keep_ray(request, cpus=8)
