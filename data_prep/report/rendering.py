"""Jinja2 templates of the reports. A page holds everything that it shows, and text from users' data is escaped."""

import base64
import io
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from PIL import Image


def render(template: str, *packages: str, **values: Any) -> str:
    """Renders a page.

    Args:
        template: file name of the template.
        packages: packages whose `templates/` are searched besides those of this one.
        values: what the template shows.

    Returns:
        HTML.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package) for package in (*packages, "data_prep.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["thousands"] = "{:,}".format
    # A sentence is broken between words; only a path that is longer than the line, at its slashes.
    environment.filters["breakable"] = lambda text: escape(text).replace("/", Markup("/<wbr>"))
    environment.filters["words"] = lambda name: name.replace("_", " ")
    return environment.get_template(template).render(values)


def data_url(content: bytes, media_type: str) -> str:
    """Returns the content of a file as an address, with which a page holds the file in itself."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def jpeg_url(image: Image.Image, quality: int) -> str:
    """Returns an image as a data URL of its JPEG."""
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=quality)
    return data_url(encoded.getvalue(), "image/jpeg")
