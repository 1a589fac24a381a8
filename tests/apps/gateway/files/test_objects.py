"""The same promises from a folder and from an S3-compatible server."""

import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from raylm.core.errors import ConfigError, StoreError
from raylm_apps.gateway.files.objects import ObjectStore, StorageFullError

KEY = "0123456789abcdef" * 2


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The endpoint of a server with a bucket `uploads`."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        server = ThreadedMotoServer(port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        with closing(boto3.client("s3", endpoint_url=endpoint)) as client:
            client.create_bucket(Bucket="uploads")
        yield endpoint
        server.stop()


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "folder":
        return ObjectStore(str(tmp_path / "files"))
    return ObjectStore("s3://uploads/files", endpoint=request.getfixturevalue("s3"))


async def test_an_object_is_kept_read_and_deleted(store: ObjectStore) -> None:
    data = bytes(range(256)) * 40
    await store.put(KEY, data)
    assert await store.get(KEY) == data
    await store.delete(KEY)
    with pytest.raises(StoreError, match="does not answer"):
        await store.get(KEY)
    await store.delete(KEY)  # is gone already


async def test_s3_keys_lie_under_the_prefix(s3: str) -> None:
    await ObjectStore("s3://uploads/a/b", endpoint=s3).put(KEY, b"x")
    with closing(boto3.client("s3", endpoint_url=s3)) as client:
        listed = client.list_objects_v2(Bucket="uploads", Prefix="a/")
    assert [item["Key"] for item in listed["Contents"]] == [f"a/b/01/{KEY}"]


async def test_a_server_that_is_away() -> None:
    store = ObjectStore("s3://uploads/files", endpoint="http://127.0.0.1:9")
    with pytest.raises(StoreError, match="does not answer"):
        await store.put(KEY, b"x")


async def test_a_folder_is_private(tmp_path: Path) -> None:
    await ObjectStore(str(tmp_path / "files")).put(KEY, b"x")
    assert stat.S_IMODE((tmp_path / "files" / "01").stat().st_mode) == 0o700


async def test_a_full_disk_keeps_nothing_of_it(small_disk: Path) -> None:
    store = ObjectStore(str(small_disk))
    with pytest.raises(StorageFullError, match="is full"):
        await store.put(KEY, b"x" * 2_000_000)
    await store.put(KEY, b"x" * 500_000)
    assert len(await store.get(KEY)) == 500_000


def test_an_url_that_nothing_understands() -> None:
    with pytest.raises(ConfigError, match="RAYLM_FILES_URL 'nonsense://x'"):
        ObjectStore("nonsense://x")
