"""The command; what each mode does is tested in tests/sampling."""

import pytest

from stargan_tf import sample


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
