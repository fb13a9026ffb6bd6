"""Files that the browser fetches. They lie in Gradio's cache, which deletes them after a while."""

import secrets
from pathlib import Path

from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder


def store(data: bytes, name: str) -> str:
    """Stores a file under its name, in a folder that belongs to its content; returns its path."""
    return save_bytes_to_cache(data, name, get_upload_folder())


def new(name: str) -> Path:
    """Returns a path for a file of that name, in a new folder."""
    folder = Path(get_upload_folder()) / secrets.token_hex(16)
    folder.mkdir(parents=True)
    return folder / name
