"""Hooks of the site: the pages that are files of the repository's root, which docs/ does not hold a second time."""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
RAW = "https://raw.githubusercontent.com/stargan-tf/stargan-tf/main/docs/"


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
    return markdown


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
