"""A folder that is a Hugging Face Space when it is pushed: the page of an exported model, and all that it needs.

The source of this package goes along, since a Space installs only what package indices have.

https://huggingface.co/docs/hub/spaces-config-reference
"""

import importlib.metadata
import shutil
import sys
from pathlib import Path
from typing import Any

import stargan_tf
from stargan_tf.base.writing import whole_directory, write_text
from stargan_tf.serving import export, front_matter
from stargan_tf.serving.export_settings import ExportSettings

MODEL = "model"
# What the page imports; a Space brings Gradio, of the version that its README.md names.
_PACKAGES = (
    "keras",
    "numpy",
    "pillow",
    "simplejpeg",
    "opencv-python-headless",
    "pyyaml",
    "jsonargparse",
    "tqdm",
    "fsspec",
)
_APP = '''"""The page of the model beside this file."""

import os
import sys
from pathlib import Path

from stargan_tf.demo import main

# A Space says where it looks for the page; elsewhere nobody else sees it.
host = os.environ.get("GRADIO_SERVER_NAME", "0.0.0.0" if "SPACE_ID" in os.environ else "127.0.0.1")
port = os.environ.get("GRADIO_SERVER_PORT", "7860")
model = Path(__file__).parent / "model"

sys.exit(main(["--model", str(model), "--host", host, "--port", port]))
'''
# Large files of a repository on the Hub.
_ATTRIBUTES = """variables.data-* filter=lfs diff=lfs merge=lfs -text
*.pb filter=lfs diff=lfs merge=lfs -text
tf_serving_warmup_requests filter=lfs diff=lfs merge=lfs -text
"""


def export_space(run: Path, target: Path, settings: ExportSettings) -> None:
    """Exports a run as a Space.

    Args:
        run: the run directory.
        target: the folder to push, which must not exist or be empty; its name is the model's.
        settings: how it is served, checked.

    Raises:
        UserError: as `export.write_version`, or there is something in the folder.
    """
    with whole_directory(target) as temporary:
        translator = export.load(run, "saved_model", settings)
        card = export.write_version(translator, run, temporary / MODEL, target.name, 1, "saved_model", settings)
        write(temporary, card)
    print(f"the Space {target.name}: {target}; `python {target / 'app.py'}` shows its page here")


def write(folder: Path, card: dict[str, Any]) -> None:
    """Writes everything but the model.

    Args:
        folder: of the Space.
        card: of the model.
    """
    write_text(folder / "app.py", _APP)
    versions = [f"{name}=={importlib.metadata.version(name)}" for name in _PACKAGES]
    requirements = [f"tensorflow-cpu=={importlib.metadata.version('tensorflow')}", *versions]
    write_text(folder / "requirements.txt", "".join(f"{line}\n" for line in requirements))
    write_text(folder / ".gitattributes", _ATTRIBUTES)
    write_text(folder / "README.md", _readme(card))
    package = Path(stargan_tf.__file__).parent
    shutil.copytree(package, folder / package.name, ignore=shutil.ignore_patterns("__pycache__", "shipped"))


def _readme(card: dict[str, Any]) -> str:
    head = front_matter.head(
        {
            "title": card["name"],
            "emoji": "🎨",
            "colorFrom": "indigo",
            "colorTo": "pink",
            "sdk": "gradio",
            "sdk_version": importlib.metadata.version("gradio"),
            "python_version": f"{sys.version_info.major}.{sys.version_info.minor}",
            "app_file": "app.py",
            **front_matter.licence(card["licence"]),
            "short_description": "An image in the styles of other domains",
            "tags": ["stargan-v2", "image-to-image"],
        }
    )
    return (
        f"{head}\n# {card['name']}\n\n"
        f"Turns an image of one domain into images of the others, in endless styles: {', '.join(card['domains'])}.\n\n"
        f"`{MODEL}/README.md` is the model's card. `stargan_tf/` is the program, under the licence Apache-2.0.\n"
    )
