"""The command; what each mode does is tested in tests/sampling."""

import json
import shutil

import pytest

from stargan_tf import sample
from tests.test_imports import run_without


def test_translation_is_what_is_done_if_no_mode_is_named(trained_run, images_path, tmp_path, capsys):
    source, output = images_path / "val", tmp_path / "output"
    arguments = ["--run", trained_run, "--source", source / "circle", "--reference", source, "--output", output]
    assert sample.main([*map(str, arguments), "--psi", "0.5", "1", "--domain", "square", "--styles", "1"]) == 0
    assert "translated 3 images" in capsys.readouterr().out
    made = {path.name for path in output.iterdir() if path.is_dir()}
    assert made == {"latent_psi_0.5", "latent_psi_1", "reference", "styles"}


@pytest.mark.parametrize(
    ("mode", "changes", "sentence"),
    [
        ("", {"--run": "nowhere"}, "'nowhere' is not a run directory"),
        ("translate", {"--source": "nowhere"}, "there is no file or folder 'nowhere' (--source)"),
        ("", {"--source": "empty"}, "there is no image in 'empty' (--source)"),
        ("", {"--output": "full"}, "'full' exists and is not empty"),
        ("", {"--psi": "0.5 2"}, "--psi is 2; it must be between 0 and 1"),
        ("", {"--psi": "1 1.0"}, "it must be one or more different numbers"),
        ("", {"--styles": "0"}, "--styles is 0; it must be at least 1 without --reference and --style"),
        ("", {"--checkpoint": "best"}, "has no best checkpoint"),
        ("cycle", {"--run": "nowhere"}, "'nowhere' is not a run directory"),
        ("cycle", {"--batch_size": "0"}, "--batch_size is 0; it must be at least 1"),
        ("cycle", {"--output": "full"}, "'full' exists and is not empty"),
        ("interpolate", {"--output": "new.avi"}, "must end in .mp4, .webp or .gif"),
        ("interpolate", {"--output": "full.gif"}, "'full.gif.styles' exists"),
        ("interpolate", {"--output": "a.gif", "--seeds": "3"}, "--seeds has 1 style; a video moves between at least 2"),
        ("interpolate", {"--output": "a.gif", "--seeds": "3 4", "--style": "a b"}, "--seeds and --style are given"),
        (
            "interpolate",
            {"--output": "a.gif", "--style": "a b", "--domain": "cat"},
            "--style belong to domains already",
        ),
        ("interpolate", {"--output": "a.gif", "--sources": "17"}, "it must be at most --batch_size (16)"),
        ("animate", {}, "there is no mode 'animate'; choose translate, cycle, interpolate"),
    ],
)
def test_a_mistake_gets_one_sentence(mode, changes, sentence, trained_run, images_path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("empty", "full", "full.gif.styles"):
        (tmp_path / name).mkdir()
    (tmp_path / "full" / "precious").touch()
    (tmp_path / "full.gif.styles" / "precious").touch()
    arguments = {"--run": str(trained_run), "--source": str(images_path / "val"), "--output": "new", **changes}
    words = [word for flag, value in arguments.items() for word in (flag, *value.split())]
    assert sample.main([mode] * bool(mode) + words) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert sentence in err
    assert {path.name for path in tmp_path.iterdir()} == {"empty", "full", "full.gif.styles"}


def test_a_domain_without_references_and_an_unknown_one_are_named(trained_run, images_path, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    arguments = ["--run", str(trained_run), "--source", str(images_path / "val"), "--output", str(tmp_path / "new")]
    assert sample.main([*arguments, "--reference", str(tmp_path / "empty")]) == 2
    assert "empty/circle' (--reference)" in capsys.readouterr().err
    assert sample.main([*arguments, "--domain", "zebra"]) == 2
    assert "there is no domain 'zebra'; the run knows circle, square, triangle" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("mode", ["translate", "cycle", "interpolate"])
def test_every_mode_has_a_help(mode, capsys):
    with pytest.raises(SystemExit) as exit_:
        sample.main([mode, "--help"])
    assert exit_.value.code == 0
    out = capsys.readouterr().out
    assert f"python -m stargan_tf.sample {mode}" in out and "--batch_size" in out


def test_the_help_names_the_other_modes(capsys):
    with pytest.raises(SystemExit):
        sample.main(["--help"])
    out = " ".join(capsys.readouterr().out.split())
    assert "`python -m stargan_tf.sample cycle`" in out and "`python -m stargan_tf.sample interpolate`" in out


_EACH = """
import contextlib, importlib, io, json
for module, words, sentence in json.loads(sys.argv[1]):
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        code = importlib.import_module(module).main(words)
    assert code == 2 and sentence in said.getvalue(), (words, sentence, code, said.getvalue())
"""


@pytest.mark.slow  # for the trained run
def test_mistakes_are_told_before_tensorflow_is_loaded(trained_run, data_path, images_path, tmp_path):
    """Of all commands that sample."""
    val, run = images_path / "val", str(trained_run)
    bare = shutil.copytree(trained_run, tmp_path / "bare", ignore=shutil.ignore_patterns("checkpoints"))
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing more")
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "a.png").write_text("<html>404</html>")
    styles = {"long": ("circle", [0.0] * 9), "zebra": ("zebra", [0.0] * 8), "good": ("circle", [0.0] * 8)}
    for name, (domain, code) in styles.items():
        entry = {"domain": domain, "networks": "0123456789ab", "style": code}
        (tmp_path / f"{name}.json").write_text(json.dumps(entry))
    (tmp_path / "torn.json").write_text('{"domain": "circle", "sty')

    def case(module, words, sentence, **flags):
        flags = {name: str(value).replace("/new", f"/new{len(cases)}") for name, value in flags.items()}
        return f"stargan_tf.{module}", words + [word for name in flags for word in (f"--{name}", flags[name])], sentence

    cases = []
    for mode, output in (("translate", "new"), ("cycle", "new"), ("interpolate", "new.webp")):
        good = {"run": run, "source": val, "output": tmp_path / output}
        for sentence, changes in (
            ("is not a run directory", {"run": tmp_path}),
            ("has no checkpoint yet; train it first", {"run": bare}),
            ("has no best checkpoint", {"checkpoint": "best"}),
            ("there is no file or folder", {"source": tmp_path / "nowhere"}),
            ("there is no domain 'zebra'; the run knows circle, square, triangle", {"domain": "zebra"}),
            ("none of the 1 sources can be read", {"source": tmp_path / "broken.png", "domain": "circle"}),
            ("there is no file or folder", {"reference": tmp_path / "nowhere", "domain": "circle"}),
            ("there is no folder", {"reference": val / "circle"}),
            ("say of which domain with --domain", {"reference": val / "circle" / "00000.png"}),
            ("none of the references of domain 'circle'", {"reference": tmp_path / "page", "domain": "circle"}),
        ):
            if mode == "cycle" and "broken" in str(changes):
                changes |= {"source_domain": "circle"}
            cases.append(case("sample", [mode], sentence, **(good | changes)))
        if mode != "cycle":
            for name, sentence in (
                ("nowhere", "cannot read the style file"),
                ("torn", "is not a style file"),
                ("long", "has 9 numbers, but the run's have 8"),
                ("zebra", "is of domain 'zebra'; the run knows"),
            ):
                files = ["--style", str(tmp_path / f"{name}.json"), str(tmp_path / "good.json")]
                cases.append(case("sample", [mode, *files], sentence, **good))
        seed = ["--seeds", "0"] if mode == "interpolate" else ["--seed"]
        cases.append(case("sample", [mode, *seed, str(2**63)], "seeds must be whole numbers below 2^63", **good))
    there = {"run": run, "source": val, "output": tmp_path / "new"}
    cases += [
        case("sample", ["cycle"], "do not tell its domain", **(there | {"source": tmp_path / "broken.png"})),
        case("sample", ["cycle"], "no domain 'zebra'", **(there | {"source_domain": "zebra"})),
        case("sample", ["interpolate"], "a video must end in", **there),
    ]
    video = there | {"output": tmp_path / "new.webp"}
    one = {"reference": val / "circle" / "00000.png", "domain": "circle"}
    cases.append(case("sample", ["interpolate"], "there is 1 reference of domain 'circle'", **(video | one)))
    measured = {"run": run, "data": data_path}
    other = {"mode": "latent", "outputs": 2, "sources": 1}
    cases += [
        case("evaluate", [], "is not a run directory", **(measured | {"run": tmp_path})),
        case("evaluate", [], "has no checkpoint yet", **(measured | {"run": bare})),
        case("evaluate", [], "has no best checkpoint", **(measured | {"checkpoint": "best"})),
        case("evaluate", [], "does not exist", **(measured | {"data": tmp_path / "nowhere"})),
        case("evaluate", [], "--mode is 'laten'", **(measured | {"mode": "laten"})),
        case("evaluate", [], "there is no extractor 'incept'", **(measured | {"extractor": "incept"})),
        case("evaluate", [], "there is no file 'a.onnx' (--extractor)", **(measured | {"extractor": "a.onnx"})),
        case("evaluate", [], "there is no file 'a.onnx' (--distance)", **(measured | {"distance": "a.onnx:b.npz"})),
        case("evaluate", [], "2 translations in a task are too few", **(measured | other)),
        case(
            "serving.client",
            ["translate"],
            "cannot read 'no.png' (--image)",
            image="no.png",
            output="new",
            domain="x",
            server="localhost:1",
        ),
        case("demo", [], "nowhere", model=tmp_path / "nowhere"),
    ]
    run_without(("tensorflow", "keras"), _EACH, json.dumps(cases))
