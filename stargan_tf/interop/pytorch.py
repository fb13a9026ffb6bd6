"""Loads published weights into networks, and takes them out: the names and layouts of published PyTorch checkpoints.

`assign(networks, {"generator": {published name: array}, ...})` and its inverse, `extract(networks)`. Neither needs
PyTorch; `torch_files` reads and writes its files.
"""

from stargan_tf.networks.published_names import assign, extract

__all__ = ["assign", "extract"]
