"""How a run becomes a model to be served."""

import re
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from stargan_tf.base.command_line import check_ranges
from stargan_tf.base.errors import UserError
from stargan_tf.base.ranges import PositiveInt
from stargan_tf.runs.checkpoint_choice import CheckpointChoice
from stargan_tf.serving.deployment import SERVING_VERSION


@dataclass(frozen=True)
class ExportSettings(CheckpointChoice):
    """How a trained model is served.

    Args:
        precision: of the exported networks; `bfloat16` halves the files, and is faster where the hardware knows it.
        device: what the model will be served on, which decides its form; both forms compute the same everywhere, and
            each is meant to be the faster one there. ONNX and LiteRT files have one form.
        batch_sizes: numbers of rows that a server merges requests to, rising; a warm-up request is written for each.
        max_rows: requests with more rows are refused; at least the largest batch size.
        max_pixels: images whose header announces more pixels are refused before they are decoded.
        licence: of the weights, for the model card; by default that of the run, if it is known (licence.txt).
        serving_version: release of TF Serving, a tag of its image, in the files for Docker Compose and Kubernetes.
    """

    precision: Literal["float32", "bfloat16"] = "float32"
    device: Literal["cpu", "gpu"] = "cpu"
    batch_sizes: list[PositiveInt] = field(default_factory=lambda: [1, 2, 4, 8])
    max_rows: PositiveInt = 32
    max_pixels: PositiveInt = 50_000_000
    SCHEMES: ClassVar[tuple[str, ...]] = ("licence",)  # any text

    licence: str | None = None
    serving_version: str = SERVING_VERSION

    def check(self) -> None:
        """Checks every value, and the batch sizes against the limit of rows.

        Raises:
            UserError: the first mistake found.
        """
        check_ranges(self)
        if not re.fullmatch(r"[\w.-]+", self.serving_version):
            raise UserError(
                f"--serving_version is {self.serving_version!r}; it must be the tag of an image, like 2.20.0"
            )
        sizes = self.batch_sizes
        if not sizes or sizes != sorted(set(sizes)):
            raise UserError(f"--batch_sizes is {sizes}; it must be rising numbers from 1 on, like [1, 2, 4, 8]")
        if self.max_rows < sizes[-1]:
            raise UserError(f"--max_rows is {self.max_rows}; it must be at least the largest batch size, {sizes[-1]}")
