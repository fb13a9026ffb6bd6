"""A store that fails: what passes is tried again, with a bound; the rest is one sentence; nothing half is whole."""

import errno
import io
import time

import numpy as np
import pytest

from data_prep.images_to_tfrecords import main as prepare
from stargan_tf import sample
from stargan_tf.base import files, stores
from stargan_tf.base.errors import TryAgainError, without_password
from tests import faulty_proxy
from tests.data_prep.jobs import noise
from tests.stores import KEY, SECRET, new_store

pytestmark = pytest.mark.slow

CONTENT = np.random.default_rng(0).bytes(300_000)
PASSING = ("503", "500", "cut", "close", "slow")


@pytest.fixture
def proxy(s3_server, monkeypatch):
    """A proxy before the store, through which all clients go."""
    import s3fs

    with faulty_proxy.started(s3_server) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")  # of the client by itself
        monkeypatch.setattr(stores, "WAITS", (0.01, 0.01, 0.01))
        s3fs.S3FileSystem.clear_instance_cache()
        yield proxy
        proxy.fault = lambda method, path: None
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def address(proxy, request):
    address = new_store("s3", request)
    files.write(f"{address}/there", CONTENT)
    return address


@pytest.mark.parametrize("what", PASSING)
def test_what_passes_is_tried_again(what, proxy, address, tmp_path):
    local = tmp_path / "local"
    local.write_bytes(CONTENT[::-1])
    for method, action, result in (
        ("GET", lambda: files.read(f"{address}/there"), CONTENT),
        ("GET", lambda: bytes(files.read_range(f"{address}/there", 10, 200_000, memoryview(bytearray(200_000)))), None),
        ("GET", lambda: files.fetch(f"{address}/there", tmp_path / "fetched"), None),
        ("GET", lambda: files.list_folders(address), []),
        ("HEAD", lambda: files.size(f"{address}/there"), len(CONTENT)),
        ("PUT", lambda: files.write(f"{address}/written", CONTENT), None),
        ("PUT", lambda: files.deliver(local, f"{address}/delivered"), None),
    ):
        proxy.times(3, what, method)
        found = action()
        if result is not None:
            assert found == result
    proxy.fault = lambda method, path: None
    assert (tmp_path / "fetched").read_bytes() == files.read(f"{address}/written") == CONTENT
    assert files.read(f"{address}/delivered") == CONTENT[::-1]


@pytest.mark.parametrize("what", ["503", "close"])
def test_what_does_not_pass_has_an_end(what, proxy, address, monkeypatch, capsys):
    proxy.fault = lambda method, path: what
    begin = time.monotonic()
    with pytest.raises(TryAgainError, match=f"{address}/there cannot be reached: "):
        files.read(f"{address}/there")
    assert time.monotonic() - begin < 30
    assert capsys.readouterr().err.count("the next try is in") == len(stores.WAITS)


def test_an_upload_that_is_cut_leaves_nothing(proxy, address, tmp_path, monkeypatch):
    monkeypatch.setattr(stores, "WAITS", ())
    local = tmp_path / "large"
    local.write_bytes(bytes(12 << 20))
    proxy.fault = lambda method, path: "cut" if method == "PUT" else None
    with pytest.raises(TryAgainError):
        files.deliver(local, f"{address}/large")
    with pytest.raises(TryAgainError), files.create(f"{address}/created") as file:
        file.write(CONTENT)
    proxy.fault = lambda method, path: None
    assert set(files.find(address)) == {"there"}


def test_what_may_not_be_is_told(proxy, address, request):
    proxy.fault = lambda method, path: "403" if path.endswith("/there") else None
    with pytest.raises(PermissionError) as told:
        files.read(f"{address}/there")
    assert told.value.filename == f"{address}/there" and told.value.errno == errno.EACCES
    proxy.fault = lambda method, path: None
    for missing in (f"{address}/missing", "s3://no-such-bucket-there/x"):
        with pytest.raises(FileNotFoundError) as told:
            files.read(missing)
        assert told.value.filename == missing
    with pytest.raises(FileNotFoundError, match="bucket"):
        files.write("s3://no-such-bucket-there/x", b"x")


def test_commands_tell_it_in_one_sentence(proxy, address, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ["--source", "s", "--output", "o"]
    for what, code in (("403", 2), ("503", 75)):
        proxy.fault = lambda method, path, what=what: what
        assert sample.main(["--run", f"{address}/run", *arguments]) == code
        assert prepare(["--input", f"{address}/images", "--output", "data", "--image_size", "16"]) == code
        lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("note: ")]
        assert len(lines) == 2, lines
        assert all(address in line for line in lines)
        assert not any(KEY in line or SECRET in line for line in lines)
    proxy.fault = lambda method, path: None
    assert sample.main(["--run", "s3://no-such-bucket-there/run", *arguments]) == 2
    assert "'s3://no-such-bucket-there/run' is not a run directory" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_job_asks_at_most_twice_for_a_photograph(proxy, address, tmp_path):
    for domain in ("cat", "dog"):
        for index in range(10):
            content = io.BytesIO()
            noise(20, 24, index + 100 * (domain == "cat")).save(content, "PNG")
            files.write(f"{address}/images/{domain}/{index}.png", content.getvalue())
    proxy.requests.clear()
    arguments = ["--input", f"{address}/images", "--output", str(tmp_path / "data"), "--image_size", "16"]
    assert prepare([*arguments, "--processes", "1"]) == 0
    of_photographs = [path for _, path in proxy.requests if ".png" in path.partition("?")[0]]
    assert 20 <= len(of_photographs) <= 40
    assert len(proxy.requests) - len(of_photographs) < 40  # which do not grow with their number


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sftp://me:secret@host/x is gone", "sftp://me:***@host/x is gone"),
        ("abfs://container@account.dfs.core.windows.net/x", "abfs://container@account.dfs.core.windows.net/x"),
        ("https://b/x?X-Amz-Signature=abc&n=1", "https://b/x?X-Amz-Signature=***&n=1"),
        ("a: b@c", "a: b@c"),
    ],
)
def test_addresses_are_told_without_passwords(text, told):
    assert without_password(text) == told


def test_an_address_with_a_password_is_refused(capsys, tmp_path):
    assert prepare(["--input", "sftp://me:secret@host/x", "--output", str(tmp_path / "o"), "--image_size", "16"]) == 2
    err = capsys.readouterr().err
    assert "--input is sftp://me:***@host/x with a password in it" in err and "secret" not in err
