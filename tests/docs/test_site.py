"""The site is built without a warning, and neither it nor its build needs a network."""

import importlib.util
import re
import subprocess
import sys
import types

import pytest

from tests.docs.pages import ROOT


@pytest.mark.beyond
def test_the_site_is_built_without_warnings_and_loads_nothing_from_elsewhere(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|img|iframe)[^>]* src="([^"]+)"', text)
        loaded += re.findall(r'<link[^>]* href="([^"]+)"[^>]* rel="(?:stylesheet|icon)"', text)
        assert not [address for address in loaded if "//" in address], page
    assert (tmp_path / "showcase.webp").is_file()
    assert 'src="showcase.webp"' in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_the_demonstration_is_put_into_the_site_where_one_is_named(tmp_path, monkeypatch):
    pytest.importorskip("mkdocs", reason="MkDocs is not installed; pip install '.[docs]' does that")
    spec = importlib.util.spec_from_file_location("site_hooks", ROOT / "docs" / "site_hooks.py")
    hooks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hooks)
    page = (ROOT / "docs" / "demo.md").read_text()
    monkeypatch.delenv("STARGAN_DEMO", raising=False)
    assert "make docs DEMO=RUN` exports" in page and hooks.DEMO_MARK in page
    assert "built without such a page; `make docs DEMO=RUN`" in hooks.on_page_markdown(page)

    exported = tmp_path / "translator" / "1"
    exported.mkdir(parents=True)
    (exported / "index.html").write_text("the page")
    monkeypatch.setenv("STARGAN_DEMO", str(exported.parent))
    (link,) = re.findall(r'<a href="([^"]+)">Try it here</a>', hooks.on_page_markdown(page))
    hooks.on_post_build(types.SimpleNamespace(site_dir=str(tmp_path / "site")))
    assert (tmp_path / "site" / link).read_text() == "the page"
