"""What is sent with every call besides the request: HTTP headers, which gRPC calls metadata; tokens above all."""

import os
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from stargan_tf.base.errors import UserError

# Written as in the configuration of OpenTelemetry's collector.
_ELSEWHERE = re.compile(r"\$\{(env|file):([^}]*)\}")
_NAME = re.compile(r"[A-Za-z0-9_.-]+")
# What gRPC and HTTP both carry.
_VALUE = re.compile(r"[ -~]*")
# Names that gRPC keeps for itself: its own, and those of bytes.
_RESERVED = re.compile(r"grpc-.*|.*-bin|content-type", re.IGNORECASE)


def parse(lines: Sequence[str]) -> dict[str, str]:
    """Reads headers as they are written in HTTP, `NAME: VALUE`.

    Args:
        lines: one a header.

    Returns:
        The values by name.

    Raises:
        UserError: there is no colon in one, or a name twice.
    """
    headers: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        name, colon, value = line.partition(":")
        # Never the value, here and below: it may be a secret.
        if not colon:
            raise UserError(f"header {number} has no colon; it must be NAME: VALUE")
        if name.strip() in headers:
            raise UserError(f"the header {name.strip()!r} is given twice")
        headers[name.strip()] = value.strip()
    return headers


def resolve(headers: Mapping[str, str]) -> dict[str, str]:
    """Fills in what headers take from the environment (`${env:NAME}`) and from files (`${file:PATH}`).

    Args:
        headers: the values by name.

    Returns:
        The values that are sent, by name.

    Raises:
        UserError: a name or value cannot be sent, a variable is not set, or a file cannot be read.
    """
    resolved = {}
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or _RESERVED.fullmatch(name):
            raise UserError(
                f"a header is named {name!r}; a name must have letters, digits, -, _ or . only, must not begin with "
                "grpc- or end with -bin, and content-type is not free"
            )
        found = _ELSEWHERE.sub(partial(_read, name), value).strip()
        if not found or not _VALUE.fullmatch(found):
            problem = "is empty" if not found else "has letters beyond ASCII, or a line break"
            raise UserError(f"the value of the header {name!r} {problem}; it cannot be sent")
        resolved[name] = found
    return resolved


def hidden(text: str, headers: Mapping[str, str]) -> str:
    """Returns a text, as of an answer, without the values of headers, which a server may repeat."""
    for value in headers.values():
        for secret in (value, value.rpartition(" ")[2]):  # a token also without the word before it
            text = text.replace(secret, "***") if len(secret) > 3 else text
    return text


def _read(name: str, elsewhere: re.Match[str]) -> str:
    kind, place = elsewhere.groups()
    if kind == "env":
        if place not in os.environ:
            raise UserError(f"the environment variable {place!r} is not set, which the header {name!r} is taken from")
        return os.environ[place]
    try:
        return Path(place).read_text().strip()
    except OSError as error:
        raise UserError(f"cannot read {place!r}, which the header {name!r} is taken from: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{place!r}, which the header {name!r} is taken from, holds no text") from None
