"""Servers for both protocols, in this process or in one of their own."""

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from tests.serving_double import grpc_interface, rest_interface
from tests.serving_double.guard import Certificates, Guard
from tests.serving_double.refusals import PATIENCE
from tests.serving_double.served import Served
from tests.serving_double.session import Session
from tests.serving_double.versions import Versions

HOST = "127.0.0.1"


class Double:
    """Serves a model on ports of this machine, until it is closed.

    Args:
        path: directory of a model, whose newest version is served under the directory's name.
        batching: whether concurrent requests of a signature are merged.
        allowed_batch_sizes: what batches are padded to; the last is the largest.
        window: seconds that a batch waits for further requests.
        labels: labels of the version.
        max_batch_size: rows of a request at most, which is split over batches; by default those of a batch.
        unloaded: numbers of versions that were served before.
        poll: seconds from one look at the model's `serving/models.config` to the next, which then says what versions
            are served with which labels; by default only the newest is served.
        grpc_port: port for gRPC; 0 for any that is free.
        rest_port: port for REST; 0 for any that is free.
        warm_up: whether the warm-up requests of the model are run first; else the first request of each signature takes
            seconds, and requests that come together are all the first.
        session: of that version, if it is loaded already.
        certificates: of a server that encrypts; by default it does not.
        required: headers that every call must have, by name in small letters.
    """

    def __init__(
        self,
        path: Path,
        batching: bool = False,
        allowed_batch_sizes: Sequence[int] = (1, 2, 4, 8),
        window: float = 0.01,
        labels: Sequence[str] = ("stable",),
        grpc_port: int = 0,
        rest_port: int = 0,
        warm_up: bool = False,
        session: Session | None = None,
        max_batch_size: int | None = None,
        unloaded: Sequence[int] = (),
        poll: float | None = None,
        certificates: Certificates | None = None,
        required: Mapping[str, str] | None = None,
    ):
        guard = Guard(required or {})
        sizes = allowed_batch_sizes if batching else None
        self._served: Served | Versions
        if poll is None:
            self._served = Served(path, labels, sizes, window, session, max_batch_size, unloaded)
            if warm_up:
                self._served.warm_up()
        else:

            def load(version: Path) -> Served:
                served = Served(version, (), sizes, window, None, max_batch_size)
                if warm_up:
                    served.warm_up()
                return served

            self._served = Versions(path, load, poll)

        options = [
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),
        ]
        self._grpc = grpc.server(ThreadPoolExecutor(16), options=options, interceptors=[guard])
        prediction = grpc_interface.Prediction(self._served)
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(prediction, self._grpc)
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(grpc_interface.Model(self._served), self._grpc)
        if certificates is None:
            grpc_port = self._grpc.add_insecure_port(f"{HOST}:{grpc_port}")
        else:
            grpc_port = self._grpc.add_secure_port(f"{HOST}:{grpc_port}", certificates.for_grpc())
        self.grpc_server = f"{HOST}:{grpc_port}"
        self._grpc.start()

        handler = type("Handler", (rest_interface.Handler,), {"served": self._served, "guard": guard})
        self._rest = rest_interface.Server((HOST, rest_port), handler)
        if certificates is not None:
            self._rest.socket = certificates.for_http().wrap_socket(self._rest.socket, server_side=True)
        self.rest_server = f"{HOST}:{self._rest.server_port}"
        self._rest_thread = threading.Thread(target=self._rest.serve_forever, args=(0.05,), daemon=True)
        self._rest_thread.start()

    @property
    def runs(self) -> list[tuple[str, int, int]]:
        """Signature, requests and rows (with padding) of every run that was merged of requests."""
        return self._served.runs

    def close(self) -> None:
        """Stops both servers."""
        self._grpc.stop(0).wait(PATIENCE)
        self._rest.shutdown()
        self._rest.server_close()
        self._rest_thread.join(PATIENCE)
        self._served.close()

    def __enter__(self) -> "Double":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


@contextlib.contextmanager
def process(path: Path, *flags: str) -> Iterator[tuple[subprocess.Popen, str, str]]:
    """Runs the double in a process of its own, so that a crash is seen and harms nobody.

    Args:
        path: directory of a model.
        flags: further arguments, like "--batching".

    Returns:
        A context with the process, and host and port for gRPC and for REST.
    """
    command = [sys.executable, "-m", "tests.serving_double", "--model", str(path), *flags]
    root = Path(__file__).parent.parent.parent
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as child:
        try:
            ports = {}
            for line in child.stdout:  # ends when the process does
                protocol, _, server = line.strip().partition(" ")
                ports[protocol] = server
                if len(ports) == 2:
                    break
            else:
                raise RuntimeError(f"the double did not start (exit code {child.wait(PATIENCE)})")
            yield child, ports["grpc"], ports["rest"]
        finally:
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
