"""The double as a process."""

import argparse
import signal
import threading
from pathlib import Path

import tests.serving_double
from tests.serving_double import polling
from tests.serving_double.server import Double


def main() -> None:
    """Serves until SIGTERM or Ctrl-C; prints "grpc HOST:PORT" and "rest HOST:PORT" when ready."""
    parser = argparse.ArgumentParser(prog="python -m tests.serving_double", description=tests.serving_double.__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--grpc_port", type=int, default=0)
    parser.add_argument("--rest_port", type=int, default=0)
    parser.add_argument("--batching", action="store_true")
    parser.add_argument("--allowed_batch_sizes", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--max_batch_size", type=int, help="rows of a request; by default those of a batch")
    parser.add_argument("--window", type=float, default=0.01, help="seconds that a batch waits for further requests")
    parser.add_argument("--warm_up", action="store_true")
    parser.add_argument("--poll", type=float, help="seconds between looks for a newer version; by default none is made")
    arguments = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())

    def start(path: Path, grpc_port: int, rest_port: int) -> Double:
        return Double(
            path,
            arguments.batching,
            arguments.allowed_batch_sizes,
            arguments.window,
            grpc_port=grpc_port or arguments.grpc_port,
            rest_port=rest_port or arguments.rest_port,
            warm_up=arguments.warm_up,
            max_batch_size=arguments.max_batch_size,
        )

    def ready(double: Double) -> None:
        print(f"grpc {double.grpc_server}\nrest {double.rest_server}", flush=True)

    if arguments.poll is not None:
        polling.follow(arguments.model, arguments.poll, ended, start, ready)
        return
    with start(arguments.model, 0, 0) as double:
        ready(double)
        ended.wait()


if __name__ == "__main__":
    main()
