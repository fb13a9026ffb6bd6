"""The code blocks of README.md, CONTRIBUTING.md and docs/*.md."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
# CHANGELOG.md tells of names that are gone.
PAGES = sorted(
    page.relative_to(ROOT).as_posix()
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    if page.name != "CHANGELOG.md"
)

_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")


class Block(NamedTuple):
    """A fenced block of code.

    Attributes:
        language: what stands behind the fence.
        text: what is in it.
        place: page and line, for errors.
    """

    language: str
    text: str
    place: str


def read(page: str) -> str:
    """Returns a page's text."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str) -> list[Block]:
    """Returns the fenced blocks of a page, in their order."""
    text = read(page)
    return [
        Block(match[1], match[2], f"{page}:{text.count(chr(10), 0, match.start()) + 2}")
        for match in _FENCE.finditer(text)
    ]


def inline_code(page: str) -> list[str]:
    """Returns what stands in single backticks, on one line each."""
    return [" ".join(match[1].split()) for match in _INLINE.finditer(_FENCE.sub("", read(page)))]


def commands(block: Block) -> list[str]:
    """Splits a block into its commands: one a line, or several lines that end in a backslash.

    A block that talks to a server by curl is one command, since such blocks have here-documents and quoted line ends.
    """
    if "curl " in block.text:
        return [block.text]
    lines = block.text.replace("\\\n", " ").splitlines()
    return [" ".join(line.split()) for line in lines if line.strip() and not line.lstrip().startswith("#")]
