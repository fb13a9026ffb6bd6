"""The notebook, run by a kernel from its first cell to its last, with two steps of training."""

import base64
import io
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from PIL import Image

EXAMPLES = Path(__file__).parents[1] / "examples"
NOTEBOOK = EXAMPLES / "leaves.ipynb"


@pytest.mark.long
def test_the_notebook_runs_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setenv("LEAVES_WORK", str(tmp_path / "work"))
    monkeypatch.setenv("LEAVES_STEPS", "2")
    shutil.copytree(EXAMPLES / "leaves", tmp_path / "leaves")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": tmp_path}}).execute()
    pictures = [
        Image.open(io.BytesIO(base64.b64decode(output.data["image/png"])))
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if "image/png" in output.get("data", {})
    ]
    # The grid of training; a leaf in eight styles; the references; it in theirs; the answer of the exported model.
    assert [picture.size for picture in pictures[1:]] == [(9 * 64, 64), (5 * 64, 64), (5 * 64, 64), (64, 64)]
    assert (tmp_path / "work" / "models" / "leaves" / "1" / "saved_model.pb").is_file()
