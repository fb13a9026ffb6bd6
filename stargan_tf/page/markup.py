"""The parts of the page that are written as HTML."""

import base64
import html
import io
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from stargan_tf.page.session import Chosen, Session

# Below this size single pixels are shown as squares, since smoothing would hide what the model drew.
_SMALL = 128


class Markup:
    """The parts of the page that are written as HTML.

    Args:
        image_size: height and width of the model's images.
    """

    def __init__(self, image_size: tuple[int, int]):
        self._height, self._width = image_size

    def seen(self, chosen: Chosen) -> str:
        """What the model sees of an image."""
        size = f"{self._width}&nbsp;x&nbsp;{self._height} pixels"
        return (
            f'<figure class="seen">{self._image(chosen.preview, "What the model sees")}<figcaption>'
            f"The model sees the centre of {html.escape(chosen.name)} at {size}.</figcaption></figure>"
        )

    def thumbnails(self, session: Session) -> str:
        """The drawn styles, as radio buttons: so the keyboard moves among them as everywhere else."""
        items = [
            f'<label class="{style.name.partition(" ")[0]}"><input type="radio" name="style" value="{index}"'
            f"{' checked' if style is session.shown else ''}>"
            f"{self._image(style.image, '')}<span>{style.name}</span></label>"
            for index, style in enumerate(session.drawn)
        ]
        legend = f"Styles of {html.escape(session.drawn[-1].domain)}"
        return f'<fieldset class="styles"><legend>{legend}</legend>{"".join(items)}</fieldset>'

    def shown(self, session: Session) -> str:
        """The style shown large, with its downloads."""
        style = session.shown
        assert style is not None  # there is one as soon as something is drawn
        label, file = html.escape(style.label), re.sub(r"\W+", "_", style.label).strip("_")
        code = io.BytesIO()
        np.save(code, style.code)
        return (
            f'<figure class="shown">{self._image(style.image, f"The source as {label}")}'
            f'<figcaption aria-live="polite">{label}</figcaption></figure><div class="downloads">'
            f'<a download="{file}.png" href="{_url("image/png", style.image)}">Download image (PNG)</a>'
            f'<a download="{file}.npy" href="{_url("application/octet-stream", code.getvalue())}">'
            "Download style code (.npy)</a></div>"
        )

    def ends(self, session: Session) -> str:
        """Styles A and B."""
        figures = [
            f"<figure>{self._image(style.image, '')}<figcaption><b>{name}</b><br>{html.escape(style.label)}"
            "</figcaption></figure>"
            for name, style in zip("AB", session.ends, strict=True)
        ]
        return f'<div class="ends">{"".join(figures)}</div>'

    def problem(self, text: str) -> str:
        """A sentence about what went wrong, or nothing."""
        return f'<p class="problem" role="alert">{html.escape(text)}</p>' if text else ""

    def facts(self, card: Mapping[str, Any]) -> str:
        """The main facts of a model card."""
        facts = {
            "Name": card["name"],
            "Version": card.get("version"),
            "Trained for": f"{card['step']:,} steps" if "step" in card else None,
            "Domains": ", ".join(card["domains"]),
            "Image size": f"{self._width} x {self._height} pixels (width x height)",
            "Style code": f"{card['style_dim']} numbers" if "style_dim" in card else None,
            "Licence": card.get("licence"),
        }
        rows = [
            f'<tr><th scope="row">{name}</th><td>{html.escape(str(value))}</td></tr>'
            for name, value in facts.items()
            if value is not None
        ]
        return f'<table class="facts">{"".join(rows)}</table>'

    def _image(self, image: bytes, description: str) -> str:
        pixels = ' class="pixels"' if max(self._height, self._width) < _SMALL else ""
        size = f'width="{self._width}" height="{self._height}"'
        return f'<img{pixels} {size} alt="{description}" src="{_url("image/png", image)}">'


def _url(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"
