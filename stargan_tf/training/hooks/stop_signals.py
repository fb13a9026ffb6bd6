"""Stopping cleanly: the first SIGINT or SIGTERM asks, a second SIGINT insists."""

import signal


class StopSignals:
    """While it is entered, SIGINT (Ctrl-C) and SIGTERM are noted in `received` instead of ending the program."""

    def __init__(self):
        self.received: signal.Signals | None = None
        self._previous = {}

    def __enter__(self) -> "StopSignals":
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *exception) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number, frame) -> None:
        if self.received is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = signal.Signals(number)
