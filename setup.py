"""For what asks for a setup.py, like Dataflow's `--setup_file`; the metadata stand in pyproject.toml.

Only the README is made here: its links are relative, and a package index needs whole addresses.
"""

import re
import tomllib
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).parent
REPOSITORY = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]["urls"]["Repository"]

setup(
    long_description=re.sub(r"\]\((?![a-z]+:|#)", f"]({REPOSITORY}/blob/main/", (HERE / "README.md").read_text()),
    long_description_content_type="text/markdown",
)
