"""The settings of a connection to TF Serving, told once for clients, commands and the page."""

from dataclasses import dataclass

from stargan_tf.base.errors import UserError
from stargan_tf.base.ranges import NonNegativeInt, PositiveFloat, PositiveInt


@dataclass(frozen=True)
class Connection:
    """Where a model is served, and the limits of a call.

    Args:
        server: host and port of TF Serving, like localhost:8500; by default this machine and the protocol's usual port.
        model: name of the model.
        version: version to ask; by default the newest.
        label: label of the version to ask, like stable; not together with a version.
        timeout: seconds that a call may take, all tries together.
        retries: further tries when the server is unavailable; nothing else is tried again.
        max_message_mb: largest request and answer, in MiB.

    Raises:
        UserError: version and label are given.
    """

    server: str | None = None
    model: str = "stargan"
    version: int | None = None
    label: str | None = None
    timeout: PositiveFloat = 30.0
    retries: NonNegativeInt = 3
    max_message_mb: PositiveInt = 64

    def __post_init__(self):
        if self.version is not None and self.label is not None:
            raise UserError(f"version is {self.version} and label is {self.label!r}; only one of them can be asked for")

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
