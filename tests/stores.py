"""Stores for tests: fsspec's own in memory, and S3 as moto serves it in a process of its own, where it is installed."""

import contextlib
import importlib.util
import subprocess
import sys
import uuid
from collections.abc import Iterator

import fsspec
import pytest

from stargan_tf.base import files

_NEEDED = ("moto", "s3fs", "flask")

# Ends with the process that started it, however that ends.
_SERVER = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(port=0, verbose=False)
server.start()
print("http://{}:{}".format(*server.get_host_and_port()), flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="session")
def s3_server():
    """The address of a server that stands for S3, which clients of this process and its children find by themselves."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed; pip install '.[dev,s3]' does that")
    with served() as address:
        yield address


@contextlib.contextmanager
def served() -> Iterator[str]:
    """Starts the server; yields its address."""
    server = subprocess.Popen(
        [sys.executable, "-c", _SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with server, pytest.MonkeyPatch.context() as environment:
        assert server.stdin is not None and server.stdout is not None
        address = server.stdout.readline().strip()
        environment.setenv("AWS_ENDPOINT_URL", address)
        environment.setenv("AWS_ACCESS_KEY_ID", KEY)
        environment.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        fsspec.get_filesystem_class("s3").clear_instance_cache()  # clients of a server that was there before
        try:
            yield address
        finally:
            server.stdin.close()


# Of the server; what is written and told is searched for them.
KEY, SECRET = "key-that-nobody-may-see", "secret-that-nobody-may-see"

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
