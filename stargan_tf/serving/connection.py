"""The settings of a connection to TF Serving, told once for clients, commands and the page."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from stargan_tf.base.errors import UserError
from stargan_tf.base.ranges import NonNegativeInt, PositiveFloat, PositiveInt
from stargan_tf.serving import headers, tls


@dataclass(frozen=True)
class Connection:
    """Where a model is served, and the limits of a call.

    Args:
        server: host and port of TF Serving, like localhost:8500, or its address, https://example.org:8500; by default
            this machine and the protocol's usual port.
        model: name of the model.
        version: version to ask; by default the newest.
        label: label of the version to ask, like stable; not together with a version.
        timeout: seconds that a call may take, all tries together.
        retries: further tries when the server is unavailable; nothing else is tried again.
        max_message_mb: largest request and answer, in MiB.
        tls: encrypt the connection, as for https:// and where certificates are given.
        root_certificates: PEM file with the certificates that the server's is trusted by; by default those that come
            with the protocol's package.
        client_certificate: PEM file with the certificate that shows the server who asks; together with its key.
        client_key: PEM file with the key of that certificate, without a passphrase.
        headers: sent with every call, values by name, or texts like "NAME: VALUE": HTTP headers by REST, metadata by
            gRPC. `${env:NAME}` in a value is replaced by an environment variable and `${file:PATH}` by what a file
            holds, for secrets; they are read anew for every call.

    Raises:
        UserError: version and label are given, a file cannot be read or is no certificate or key, or a header cannot
            be sent.
    """

    server: str | None = field(default=None, repr=False)  # its address may hold a password
    model: str = "stargan"
    version: int | None = None
    label: str | None = None
    timeout: PositiveFloat = 30.0
    retries: NonNegativeInt = 3
    max_message_mb: PositiveInt = 64
    tls: bool = False
    root_certificates: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None
    # Not shown where the connection is, since they may hold secrets.
    headers: Mapping[str, str] | list[str] = field(default_factory=dict, repr=False)

    def __post_init__(self):
        if self.version is not None and self.label is not None:
            raise UserError(f"version is {self.version} and label is {self.label!r}; only one of them can be asked for")
        if self.encrypted and self._scheme == "http":
            raise UserError(f"server is {self.shown!r}, which is not encrypted, but TLS is asked for; use https://")
        tls.check(self.root_certificates, self.client_certificate, self.client_key)
        self.call_headers()

    @property
    def _scheme(self) -> str:
        return self.server.partition("://")[0].lower() if self.server and "://" in self.server else ""

    @property
    def encrypted(self) -> bool:
        """Whether TLS is asked for."""
        return self.tls or self._scheme == "https" or bool(self.root_certificates or self.client_certificate)

    @property
    def shown(self) -> str | None:
        """The server as errors may show it: without the password that an address may have."""
        if not self._scheme:
            return self.server
        assert self.server is not None
        return self.server.replace(f"{urlsplit(self.server).netloc.rpartition('@')[0]}@", "", 1)

    @property
    def address(self) -> str | None:
        """Host and port alone, as gRPC takes them."""
        return urlsplit(self.server).netloc.rpartition("@")[2] if self.server and self._scheme else self.server

    def tls_files(self) -> tuple[bytes | None, bytes | None, bytes | None]:
        """Returns what the PEM files hold: root certificates, key and certificate of the client; None where not given.

        Raises:
            UserError: one cannot be read.
        """
        names = ("root_certificates", "client_key", "client_certificate")
        root, key, certificate = (
            None if (path := getattr(self, name)) is None else tls.read(path, name) for name in names
        )
        return root, key, certificate

    def call_headers(self) -> dict[str, str]:
        """Returns the headers of a call, with what environment and files hold now."""
        return headers.resolve(self.headers if isinstance(self.headers, Mapping) else headers.parse(self.headers))

    @property
    def asked(self) -> str:
        """The model and the version asked for, for errors."""
        if self.version is not None:
            return f"{self.model!r} version {self.version}"
        return repr(self.model) if self.label is None else f"{self.model!r} version {self.label!r}"

    @property
    def message_limit(self) -> int:
        """Bytes of the largest request and answer."""
        return self.max_message_mb * 2**20
