"""PostgreSQL and MariaDB as Debian has them, on loopback and in a folder: `make databases` installs them."""

import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

KINDS = ("postgresql", "mysql")
DATABASE, USER, PASSWORD = "lineage", "pipeline", "s3cret-Zm9vYmFy"
_SECONDS = 120  # that a server may take to answer


@dataclass
class Server:
    """A server with a database for the metadata, and a user for the pipeline.

    Args:
        kind: as `metadata.kind`.
        folder: gets the data, the socket and a log; others must be able to enter it.
    """

    kind: str
    folder: Path
    port: int = 0
    _process: subprocess.Popen | None = field(default=None, repr=False)

    def set_up(self) -> None:
        """Makes the data directory, starts the server, and makes database and user."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.folder.chmod(0o755)
        account = "postgres" if self.kind == "postgresql" else "mysql"
        if os.geteuid() == 0:
            shutil.chown(self.folder, account)
        if self.kind == "postgresql":
            self._run(_postgresql("initdb"), "--auth-local=trust", "--auth-host=scram-sha-256", "--pgdata", self._data)
            self.start()
            psql = (_postgresql("psql"), "--host", self.folder, f"--port={self.port}", "--dbname=postgres", "--command")
            self._run(*psql, f"CREATE USER {USER} PASSWORD '{PASSWORD}'")
            self._run(*psql, f"CREATE DATABASE {DATABASE} OWNER {USER}")
            return
        install = ("mariadb-install-db", "--no-defaults", "--skip-test-db", "--auth-root-authentication-method=normal")
        self._run(*install, f"--datadir={self._data}")
        self.start()
        self._run(
            *("mariadb", "--no-defaults", f"--socket={self._socket}", "--user=root", "--execute"),
            f"CREATE DATABASE {DATABASE}; CREATE USER {USER}@'%' IDENTIFIED BY '{PASSWORD}';"
            f"GRANT ALL ON {DATABASE}.* TO {USER}@'%'",
        )

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        if self.kind == "postgresql":
            words = [_postgresql("postgres"), "-D", self._data, "-p", self.port, "-h", "127.0.0.1", "-k", self.folder]
        else:
            words = ["mariadbd", "--no-defaults", f"--datadir={self._data}", f"--port={self.port}"]
            words += [
                "--skip-name-resolve",
                "--bind-address=127.0.0.1",
                f"--socket={self._socket}",
                f"--pid-file={self.folder / 'pid'}",
            ]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self._as_account(*words), stdout=log, stderr=log)
        deadline = time.monotonic() + _SECONDS
        while not self._answers():
            assert self._process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.2)

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """Ends it with all its connections, by SIGKILL as a crash does."""
        if self._process is None:
            return
        children = subprocess.run(
            ["pgrep", "-P", str(self._process.pid)], capture_output=True, text=True
        ).stdout.split()
        self._process.send_signal(signal.SIGTERM if self.kind == "mysql" and number != signal.SIGKILL else number)
        self._process.wait(_SECONDS)
        for child in children if number == signal.SIGKILL else ():
            deadline = time.monotonic() + _SECONDS
            while Path(f"/proc/{child}").exists() and time.monotonic() < deadline:  # they see that their parent is gone
                time.sleep(0.1)
        self._process = None

    def settings(self) -> dict[str, object]:
        """The section `metadata` of a configuration."""
        return {"kind": self.kind, "host": "127.0.0.1", "port": self.port, "database": DATABASE, "user": USER}

    def dump(self) -> bytes:
        """All that the database holds."""
        if self.kind == "postgresql":
            return self._run(_postgresql("pg_dump"), "--host", self.folder, f"--port={self.port}", DATABASE)
        return self._run("mariadb-dump", "--no-defaults", f"--socket={self._socket}", "--user=root", DATABASE)

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _socket(self) -> Path:
        return self.folder / "socket"

    def _answers(self) -> bool:
        if self.kind == "postgresql":
            words = [_postgresql("pg_isready"), "--quiet", "--host", self.folder, f"--port={self.port}"]
        else:
            words = ["mariadb-admin", "--no-defaults", f"--socket={self._socket}", "--user=root", "--silent", "ping"]
        return subprocess.run(self._as_account(*words), capture_output=True).returncode == 0

    def _run(self, *words: object) -> bytes:
        done = subprocess.run(self._as_account(*words), capture_output=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _as_account(self, *words: object) -> list[str]:
        """A server refuses to run as root, so root runs it as the account that the package made."""
        account = "postgres" if self.kind == "postgresql" else "mysql"
        as_other = (
            ["setpriv", f"--reuid={account}", f"--regid={account}", "--clear-groups"] if os.geteuid() == 0 else []
        )
        return [*as_other, *map(str, words)]


def _postgresql(program: str) -> str:
    """Debian keeps most programs of PostgreSQL out of the path."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))
    return str(found[-1]) if found else program


def missing(kind: str) -> bool:
    """Returns whether a server is not installed."""
    program = _postgresql("initdb") if kind == "postgresql" else "mariadb-install-db"
    return shutil.which(program) is None


@pytest.fixture(params=KINDS)
def server(request, tmp_path_factory):
    """A server of each kind, fresh."""
    if missing(request.param):
        pytest.skip(f"{request.param} is not installed; make databases does that")
    folder = Path("/tmp") / f"sgtf-{request.param}-{os.getpid()}"  # short, since it holds a socket
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    found = Server(request.param, folder)
    try:
        found.set_up()
        yield found
    finally:
        found.stop(signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)
