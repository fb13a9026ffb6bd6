"""Parts of pages that hold everything they show: HTML with inline styles, SVG and images, and without scripts."""

import html
from collections.abc import Sequence

_STYLE = """
:root { color-scheme: light dark; --text: #1d2330; --soft: #667085; --line: #e4e7ec; --card: #fff; --page: #f6f7f9;
  --accent: #3b6fd4; --val: #e0913a; --bad: #c0392b; --good: #217a45; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e9ef; --soft: #98a2b3; --line: #2c3442; --card: #1a202b;
  --page: #11151c; --accent: #7aa2f7; --val: #f0b06a; --bad: #ff8a7a; --good: #6fce95; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 32px 24px 64px; }
h1 { font-size: 28px; margin: 0 0 4px; overflow-wrap: anywhere; } h2 { font-size: 19px; margin: 40px 0 12px; }
h3 { font-size: 14px; margin: 0 0 8px; font-weight: 600; } p { margin: 0 0 12px; } .soft { color: var(--soft); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 16px; }
.tiles, .charts { display: grid; gap: 12px; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); }
.charts { grid-template-columns: repeat(auto-fill, minmax(330px, 1fr)); }
.tiles b { display: block; font-size: 26px; line-height: 1.2; font-variant-numeric: tabular-nums; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 6px 12px 6px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; color: var(--soft); font-size: 13px; } td.number, th.number { text-align: right; }
td.number { white-space: nowrap; } td:first-child { min-width: 9em; }
tr:last-child td { border-bottom: 0; } td { overflow-wrap: anywhere; } .scroll { overflow-x: auto; }
.images { display: grid; gap: 6px; grid-template-columns: repeat(auto-fill, minmax(96px, 1fr)); }
.images figure { margin: 0; position: relative; } .images img { width: 100%; display: block; border-radius: 6px; }
.images .val img { outline: 3px solid var(--val); outline-offset: -3px; }
.pairs { display: grid; gap: 12px; grid-template-columns: repeat(auto-fill, minmax(240px, 1fr)); }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 6px; font-size: 12px; overflow-wrap: anywhere; }
.pair img { width: 100%; border-radius: 6px; } .tag { color: var(--val); font-weight: 600; } .bad { color: var(--bad); }
.good { color: var(--good); } .verdict { border-left: 5px solid var(--good); margin: 20px 0 0; }
.verdict.bad-card { border-left-color: var(--bad); } .verdict b { font-size: 18px; }
.verdict ul { margin: 6px 0 0; padding-left: 20px; }
.beside { display: grid; gap: 12px; grid-template-columns: repeat(auto-fit, minmax(380px, 1fr)); align-items: start; }
.beside img { max-width: 100%; height: auto; border-radius: 6px; display: block; }
svg { width: 100%; height: auto; display: block; } svg text { fill: var(--soft); font: 11px system-ui, sans-serif; }
.first { stroke: var(--accent); fill: none; } .second { stroke: var(--val); fill: none; }
.train-bar { fill: var(--accent); } .val-bar { fill: var(--val); } .axis { stroke: var(--line); }
details > summary { cursor: pointer; font-weight: 600; }
"""


def document(title: str, sections: Sequence[str]) -> str:
    """Puts a page together.

    Args:
        title: plain text, for the browser.
        sections: HTML, one under the other.

    Returns:
        HTML.
    """
    return (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{html.escape(title)}</title>"
        f"<meta name='viewport' content='width=device-width, initial-scale=1'><style>{_STYLE}</style></head>"
        f"<body><main>{''.join(sections)}</main></body></html>\n"
    )


def table(
    header: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int] = (), raw: Sequence[int] = ()
) -> str:
    """A table; columns in `numbers` stand to the right, those in `raw` are HTML already."""

    def css(index: int) -> str:
        return " class='number'" if index in numbers else ""

    head = "".join(f"<th{css(index)}>{html.escape(title)}</th>" for index, title in enumerate(header))
    body = "".join(
        "<tr>"
        + "".join(f"<td{css(i)}>{cell if i in raw else html.escape(cell)}</td>" for i, cell in enumerate(row))
        + "</tr>"
        for row in rows
    )
    return f"<div class='card scroll'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def format_bytes(size: float) -> str:
    """Returns a number of bytes in three digits and a unit."""
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.3g} TB"
