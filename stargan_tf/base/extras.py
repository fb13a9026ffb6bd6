"""Packages that only some commands need and that a plain installation leaves out."""

import importlib.util

from stargan_tf.base.errors import UserError


def require(extra: str, *packages: str) -> None:
    """Checks that the packages of an extra are installed, without importing them.

    Args:
        extra: the extra of `stargan-tf` that installs them, like "onnx".
        packages: their import names.

    Raises:
        UserError: one of them is missing.
    """
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise UserError(f"the package {package} is missing; `pip install 'stargan-tf[{extra}]'` installs it")
