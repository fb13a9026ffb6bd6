"""What the double refuses, by the codes and messages of TF Serving."""

import grpc

# Nothing waits longer, whatever goes wrong.
PATIENCE = 60.0


class Refused(Exception):
    """A request that fails with a code and a message."""

    def __init__(self, code: grpc.StatusCode, message: str):
        super().__init__(message)
        self.code = code
        self.message = message


def invalid(message: str) -> Refused:
    return Refused(grpc.StatusCode.INVALID_ARGUMENT, message)
