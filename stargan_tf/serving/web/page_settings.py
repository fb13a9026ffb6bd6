"""What the page without a server is made of, beside the run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stargan_tf.inference.inputs import find_images
from stargan_tf.serving.web import runtime


@dataclass(frozen=True)
class PageSettings:
    """What goes into the folder of the page.

    Args:
        runtime: for `web`: the directory where npm installed onnxruntime-web.
        weights: for `web`: how weights are stored; `float16` takes half the bytes. All computing is in float32.
        examples: for `web`: folder of pictures for visitors to try; up to 8 go into the page. By default none.
    """

    runtime: str | None = None
    weights: Literal["float16", "float32"] = "float16"
    examples: str | None = None

    def check_page(self) -> None:
        """Checks that runtime and examples are there.

        Raises:
            UserError: they are not.
        """
        runtime.find(self.runtime)
        if self.examples is not None:
            find_images(Path(self.examples), "--examples")
