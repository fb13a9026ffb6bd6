"""For what asks for a setup.py, like Dataflow's `--setup_file`; the metadata stand in pyproject.toml.

Only the README is made here: its pictures and links are relative, and a package index needs whole addresses.
"""

import re
import tomllib
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).parent
REPOSITORY = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]["urls"]["Repository"]
RELATIVE = re.compile(r'(\]\(|src="|href=")(?![a-z]+:|#)([^)\s"]+)')


def whole_address(match: re.Match) -> str:
    opening, path = match.groups()
    view = "raw" if path.endswith((".png", ".jpg", ".webp", ".gif", ".svg")) else "blob"
    return f"{opening}{REPOSITORY}/{view}/main/{path}"


setup(
    long_description=RELATIVE.sub(whole_address, (HERE / "README.md").read_text()),
    long_description_content_type="text/markdown",
)
