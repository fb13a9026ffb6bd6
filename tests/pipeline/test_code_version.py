"""Which code counts as that of a stage."""

from pathlib import Path

from pipeline.orchestration import code_version
from pipeline.orchestration.code_version import code_version as version_of


def reached(module: str) -> set[str]:
    files = code_version._reached(code_version._file_of(module))
    return {path.relative_to(code_version._ROOT).as_posix() for path in files}


def test_imports_are_followed_even_into_functions():
    trainer = reached("pipeline.components.trainer")
    assert {"stargan_tf/train.py", "stargan_tf/training/loop.py", "stargan_tf/serving/signatures.py"} <= trainer
    assert "pipeline/components/evaluator.py" not in trainer
    assert "data_prep/steps.py" in reached("pipeline.components.example_gen")
    assert "stargan_tf/training/loop.py" not in reached("pipeline.components.example_gen")


def test_a_changed_file_changes_the_stages_that_reach_it(tmp_path, monkeypatch):
    for name in ("a", "b"):
        (tmp_path / "pipeline" / name).mkdir(parents=True)
        (tmp_path / "pipeline" / name / "__init__.py").touch()
    (tmp_path / "pipeline" / "__init__.py").touch()
    (tmp_path / "pipeline" / "a" / "one.py").write_text("def f():\n    from pipeline.b import two\n")
    (tmp_path / "pipeline" / "b" / "two.py").write_text("VALUE = 1\n")
    (tmp_path / "pipeline" / "b" / "three.py").write_text("import pipeline.b.two\n")
    monkeypatch.setattr(code_version, "_ROOT", Path(tmp_path))
    modules = ("pipeline.a.one", "pipeline.b.two", "pipeline.b.three")
    before = [version_of(module) for module in modules]
    (tmp_path / "pipeline" / "b" / "three.py").write_text("import pipeline.b.two  # another\n")
    code_version._imported_files.cache_clear()
    assert [version_of(module) for module in modules[:2]] == before[:2]
    assert version_of(modules[2]) != before[2]
    (tmp_path / "pipeline" / "b" / "two.py").write_text("VALUE = 2\n")
    code_version._imported_files.cache_clear()
    assert version_of(modules[0]) != before[0]
    code_version._imported_files.cache_clear()


def test_templates_beside_a_module_count(tmp_path, monkeypatch):
    templates = tmp_path / "pipeline" / "templates"
    templates.mkdir(parents=True)
    (tmp_path / "pipeline" / "__init__.py").touch()
    (tmp_path / "pipeline" / "one.py").touch()
    monkeypatch.setattr(code_version, "_ROOT", Path(tmp_path))
    before = version_of("pipeline.one")
    (templates / "page.html").write_text("<p>")
    assert version_of("pipeline.one") != before
