"""A server on this machine that answers what clients of the Hugging Face Hub ask about a data set."""

import contextlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

_COMMIT = "0" * 40


@contextlib.contextmanager
def serve(folder: Path, name: str) -> Iterator[tuple[str, list[str]]]:
    """Serves the files of a folder as the data set `name`; gives the address, and the requests as they come."""
    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            requests.append(f"{self.command} {self.path} {self.headers.get('Range', '')}".strip())
            address = urlsplit(self.path)
            path = unquote(address.path)
            if match := re.fullmatch(rf"/api/datasets/{name}(/revision/[^/]+)?", path):
                self.answer({"id": name, "sha": _COMMIT, "private": False, "tags": [], "downloads": 0, "likes": 0})
            elif match := re.fullmatch(rf"/api/datasets/{name}/tree/[^/]+/?(.*)", path):
                top, recursive = folder / match[1], parse_qs(address.query).get("recursive", [""])[0].lower() == "true"
                found = sorted(top.rglob("*") if recursive else top.iterdir()) if top.is_dir() else None
                self.answer([describe(file) for file in found] if found is not None else None)
            elif match := re.fullmatch(rf"/datasets/{name}/resolve/[^/]+/(.+)", path):
                self.send_file(folder / match[1])
            else:
                self.answer(None)

        do_HEAD = do_GET

        def do_POST(self) -> None:
            requests.append(f"POST {self.path}")
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            asked = json.loads(body)["paths"] if body.startswith("{") else parse_qs(body)["paths"]
            if not re.fullmatch(rf"/api/datasets/{name}/paths-info/[^/]+", unquote(self.path)):
                self.answer(None)
            else:
                self.answer([describe(folder / path) for path in asked if (folder / path).exists()])

        def answer(self, content: object) -> None:
            data = json.dumps(content if content is not None else {"error": "Entry not found"}).encode()
            self.send_response(200 if content is not None else 404)
            if content is None:
                missing = "EntryNotFound" if f"/datasets/{name}/" in self.path else "RepoNotFound"
                self.send_header("X-Error-Code", missing)
            self.send_header("Content-Type", "application/json")
            self.finish_with(data)

        def send_file(self, file: Path) -> None:
            if not file.is_file():
                self.answer(None)
                return
            data = file.read_bytes()
            size = len(data)
            if match := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
                first, last = int(match[1]), min(int(match[2] or size - 1), size - 1)
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
                data = data[first : last + 1]
            else:
                self.send_response(200)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("ETag", '"tag"')
            self.send_header("X-Repo-Commit", _COMMIT)
            self.finish_with(data)

        def finish_with(self, data: bytes) -> None:
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        def log_message(self, *arguments: object) -> None:
            pass

    def describe(path: Path) -> dict:
        kind = "directory" if path.is_dir() else "file"
        size = 0 if path.is_dir() else path.stat().st_size
        return {"type": kind, "path": path.relative_to(folder).as_posix(), "size": size, "oid": "0" * 40}

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", requests
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
