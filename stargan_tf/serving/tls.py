"""Certificates and keys of encrypted connections."""

import ssl
from pathlib import Path

from stargan_tf.base.errors import UserError


def check(root_certificates: str | None, client_certificate: str | None, client_key: str | None) -> None:
    """Checks the files of a connection, since what gRPC says of wrong ones does not name them.

    Args:
        root_certificates: PEM file with certificates of authorities, if there is one.
        client_certificate: PEM file with the certificate of the client, if there is one.
        client_key: PEM file with its key.

    Raises:
        UserError: one cannot be read or is something else, or certificate and key do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if root_certificates is not None:
        read(root_certificates, "root_certificates")
        try:
            context.load_verify_locations(root_certificates)
        except ssl.SSLError:
            raise UserError(f"{root_certificates!r} (root_certificates) holds no certificate in PEM") from None
    if (client_certificate is None) != (client_key is None):
        given, missing = "client_certificate", "client_key"
        if client_certificate is None:
            given, missing = missing, given
        raise UserError(f"{given} is given without {missing}; they go together")
    if client_certificate is not None and client_key is not None:
        read(client_certificate, "client_certificate")
        if b"ENCRYPTED" in read(client_key, "client_key"):
            raise UserError(f"{client_key!r} (client_key) has a passphrase; it must be a key without one")
        try:
            context.load_cert_chain(client_certificate, client_key)
        except ssl.SSLError:
            raise UserError(
                f"{client_certificate!r} (client_certificate) and {client_key!r} (client_key) are not a certificate "
                "and its key in PEM"
            ) from None


def read(path: str, name: str) -> bytes:
    """Reads a file of a connection; `name` is the setting that it is given by."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path!r} ({name}): {error.strerror}") from None
