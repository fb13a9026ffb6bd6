"""A proxy before a store, which counts requests and answers some of them as stores and networks do on bad days."""

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

# What may happen to a request: "503" and other states are the answer; "cut" ends the connection in the middle of the
# request's body or of the answer's; "close" ends it without an answer; "slow" answers late.
Fault = Callable[[str, str], str | None]

SLOW = 0.3  # seconds

_ERROR = "<?xml version='1.0'?><Error><Code>{code}</Code><Message>this is a test</Message></Error>"
_CODES = {"403": "AccessDenied", "404": "NoSuchKey", "500": "InternalError", "503": "ServiceUnavailable"}


class Proxy:
    """What passes between the clients and the store.

    Attributes:
        requests: method and path of each request.
        fault: says what happens to a request; None for nothing.
    """

    def __init__(self, store: str):
        self.store = urlsplit(store)
        self.requests: list[tuple[str, str]] = []
        self.fault: Fault = lambda method, path: None
        self.address = ""

    def times(self, count: int, what: str, method: str) -> None:
        """Lets something happen to the next requests of a method."""
        left = [what] * count
        self.fault = lambda asked, path: left.pop() if left and asked == method else None


@contextlib.contextmanager
def started(store: str) -> Iterator[Proxy]:
    """Starts a proxy before a store, at the address that it has."""
    proxy = Proxy(store)

    class Handler(_Handler):
        of = proxy

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    proxy.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    of: Proxy
    protocol_version = "HTTP/1.1"

    def _handle(self) -> None:
        self.of.requests.append((self.command, self.path))
        what = self.of.fault(self.command, self.path)
        length = int(self.headers.get("Content-Length", 0))
        if self.headers.get("Expect") == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        if what == "close" or (what == "cut" and length):
            self.rfile.read(length // 2)
            self._end()
            return
        body = self.rfile.read(length)
        if what == "slow":
            time.sleep(SLOW)
        if what is not None and what.isdigit():
            answer = _ERROR.format(code=_CODES[what]).encode()
            self.send_response(int(what))
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer)
            return
        store = http.client.HTTPConnection(self.of.store.hostname, self.of.store.port)
        with contextlib.closing(store):
            store.request(self.command, self.path, body, dict(self.headers))
            answer = store.getresponse()
            content = answer.read()
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                self.send_header(name, value)
        size = answer.getheader("Content-Length") if self.command == "HEAD" else len(content)
        self.send_header("Content-Length", str(size or 0))
        self.end_headers()
        if what == "cut":
            self.wfile.write(content[: len(content) // 2])
            self._end()
        elif self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _handle

    def _end(self) -> None:
        self.wfile.flush()
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *arguments) -> None:
        """Says nothing."""
