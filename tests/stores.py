"""Stores for tests: fsspec's own in memory, and S3 as moto serves it, where that is installed."""

import importlib.util
import uuid

import fsspec
import pytest

from stargan_tf.base import files

_NEEDED = ("moto", "s3fs", "flask")


@pytest.fixture(scope="session")
def s3_server():
    """A server that stands for S3, which clients of this process and its children find by the environment."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed; pip install '.[dev,s3]' does that")
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            environment.setenv(name, "test")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield
    server.stop()


KINDS = ("memory", "s3")


@pytest.fixture(params=KINDS, scope="module")
def store(request):
    """The address of an empty store, of each kind."""
    return new_store(request.param, request)


def new_store(kind: str, request: pytest.FixtureRequest) -> str:
    """Makes an empty store and returns its address."""
    if kind == "s3":
        request.getfixturevalue("s3_server")
    address = f"{kind}://bucket-{uuid.uuid4().hex[:12]}"
    fsspec.url_to_fs(address)[0].mkdir(address)
    return address


def objects(address: str) -> dict[str, bytes]:
    """Returns the content of all objects below an address, by name."""
    client, root = fsspec.url_to_fs(address)
    return {name.removeprefix(root).lstrip("/"): client.cat_file(name) for name in client.find(address)}


def upload(folder, address: str) -> None:
    """Copies a local folder to an address."""
    for name in files.list_files(str(folder)):
        files.write(files.join(address, name), (folder / name).read_bytes())
