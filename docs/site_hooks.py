"""Hooks of the site: pages that are files of the root, and the live demonstration that `make docs DEMO=RUN` exports."""

import os
import re
import shutil
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
RAW = "https://raw.githubusercontent.com/stargan-tf/stargan-tf/main/docs/"

# A model directory that `stargan_tf.export --format web` wrote; where it goes, and what stands for it in the pages.
DEMO = "STARGAN_DEMO"
DEMO_FOLDER = "translator"
DEMO_MARK = "<!-- live demonstration -->"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages, with links that hold within the site."""
    for source, page in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8").replace(RAW, "")
        content = re.sub(r"\]\(([^)#:]+)", lambda link: _link(link, config), text)
        files.append(File.generated(config, page, content=content))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Leads links from pages of docs/ to files of the root to the pages that these became."""
    for source, page in PAGES.items():
        markdown = markdown.replace(f"](../{source}", f"]({page}")
    return markdown.replace(DEMO_MARK, _demo())


def on_post_build(config: MkDocsConfig) -> None:
    """Copies the newest version of the demonstration into the site."""
    if os.environ.get(DEMO):
        pages = Path(os.environ[DEMO]).glob("*/index.html")
        newest = max(pages, key=lambda page: page.stat().st_mtime).parent
        shutil.copytree(newest, Path(config.site_dir) / DEMO_FOLDER, dirs_exist_ok=True)


def _demo() -> str:
    if os.environ.get(DEMO):
        return f'<a href="{DEMO_FOLDER}/index.html">Try it here</a>: this site holds such a page.'
    return "This site was built without such a page; `make docs DEMO=RUN`, with a run directory, puts one into it."


def _link(link: re.Match[str], config: MkDocsConfig) -> str:
    """Returns the beginning of a link: a page of the site, or a file of the repository at its public address."""
    path = link[1]
    if path in PAGES:
        return f"]({PAGES[path]}"
    if path.startswith("docs/"):
        return f"]({path.removeprefix('docs/')}"
    if (ROOT / path).exists():
        return f"]({config.repo_url}/blob/main/{path}"
    return link[0]
