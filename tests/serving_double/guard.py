"""What stands before a server in production: encryption, and somebody who asks for a token."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc


@dataclass(frozen=True)
class Certificates:
    """PEM files of a server that encrypts.

    Args:
        chain: file with its certificate.
        key: file with the key of that.
        clients: file with the certificate that those of clients must be signed by; None if they need none.
    """

    chain: str
    key: str
    clients: str | None = None

    def for_grpc(self) -> grpc.ServerCredentials:
        pairs = [(Path(self.key).read_bytes(), Path(self.chain).read_bytes())]
        roots = None if self.clients is None else Path(self.clients).read_bytes()
        return grpc.ssl_server_credentials(pairs, roots, self.clients is not None)

    def for_http(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain, self.key)
        if self.clients is not None:
            context.load_verify_locations(self.clients)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


class Guard(grpc.ServerInterceptor):
    """Refuses calls without certain headers, and repeats in its refusal what it was given."""

    def __init__(self, required: Mapping[str, str]):
        self._required = required

    def refusal(self, given: Mapping[str, str]) -> str | None:
        """Returns why a call is refused, or None."""
        wrong = {name: given.get(name) for name, value in self._required.items() if given.get(name) != value}
        return f"no access with {wrong}" if wrong else None

    def intercept_service(self, continuation, handler_call_details):
        refusal = self.refusal(dict(handler_call_details.invocation_metadata))
        if refusal is None:
            return continuation(handler_call_details)
        return grpc.unary_unary_rpc_method_handler(
            lambda request, context: context.abort(grpc.StatusCode.UNAUTHENTICATED, refusal)
        )
