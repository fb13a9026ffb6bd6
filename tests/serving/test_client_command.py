"""The command `python -m stargan_tf.serving.client`."""

import hashlib
import io
import json

import numpy as np
import pytest
from PIL import Image

from stargan_tf.base.errors import ExitCode
from stargan_tf.data.images import decode_image, to_png
from stargan_tf.inference import style_file
from stargan_tf.inference.translator import Translator
from stargan_tf.serving.client import GrpcClient, _action, main
from tests.metadata import read_metadata, without_metadata
from tests.serving.clients import PROTOCOLS
from tests.serving_double.server import HOST


@pytest.fixture
def command(double, tmp_path, monkeypatch, sources):
    """Runs the command in an empty directory with an image."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.png").write_bytes(sources[0])
    (tmp_path / "reference.png").write_bytes(sources[1])

    def run(*words, protocol="grpc"):
        server = double.grpc_server if protocol == "grpc" else double.rest_server
        return main(["--server", server, "--protocol", protocol, *words])

    return run


@PROTOCOLS
def test_translate_by_seeds_and_again_by_the_style(protocol, command, local, sources, tmp_path, capsys):
    words = ["translate", "--image", "photo.png", "--domain", "square", "--seed", "7", "--styles", "2", "--psi", "0.5"]
    assert command(*words, "--output", "new/deep", protocol=protocol) == 0
    out = capsys.readouterr().out
    assert "wrote new/deep/photo_square_7.png\n" in out and "wrote new/deep/photo_square_7.json\n" in out
    expected = local.translate_latent(sources[0], "square", [7, 8], 0.5)
    for seed, translation in zip((7, 8), expected, strict=True):
        assert without_metadata((tmp_path / f"new/deep/photo_square_{seed}.png").read_bytes()) == translation.image
        entry = style_file.load(tmp_path / f"new/deep/photo_square_{seed}.json")
        assert (entry["domain"], entry["seed"], entry["psi"], entry["networks"]) == (
            *("square", seed, 0.5),
            local.card["networks"],
        )
        np.testing.assert_array_equal(np.array(entry["style"], np.float32), translation.style)
    assert len(list((tmp_path / "new/deep").iterdir())) == 4

    words = ["translate", "--image", "photo.png", "--style", "new/deep/photo_square_8.json", "--output", "again.jpg"]
    assert command(*words, protocol=protocol) == 0
    again = local.translate_styles(sources[0], expected[1].style[None], "jpeg")[0]
    assert without_metadata((tmp_path / "again.jpg").read_bytes()) == again.image
    assert not (tmp_path / "again.json").exists()  # it is there already


def test_translate_by_a_style_file_of_sample(command, local, sources, tmp_path):
    style = local.translate_latent(sources[0], "square", [7], 0.5)[0].style
    entry = {"domain": "square", "networks": "0123456789ab", "style": style.tolist()}
    (tmp_path / "square_0.json").write_text(json.dumps(entry))
    (tmp_path / "words.json").write_text('{"style": "square"}')
    words = ["translate", "--image", "photo.png", "--output", "again.png", "--style"]
    assert command(*words, "words.json") == 2
    assert command(*words, "square_0.json") == 0
    again = local.translate_styles(sources[0], style[None])[0]
    assert without_metadata((tmp_path / "again.png").read_bytes()) == again.image


def test_sample_takes_the_style_files_of_the_client(command, local, sources, trained_run, tmp_path):
    assert command("translate", "--image=photo.png", "--domain=circle", "--seed=3", "--output=drawn.png") == 0
    style = style_file.read(tmp_path / "drawn.json", Translator.from_run(trained_run))
    np.testing.assert_array_equal(style.code, local.translate_latent(sources[0], "circle", [3])[0].style)
    assert (style.domain, style.origin["seed"]) == ("circle", 3)


def test_translate_by_a_reference(command, local, sources, tmp_path):
    words = ["translate", "--image=photo.png", "--reference=reference.png", "--domain=circle", "--output=."]
    assert command(*words, "--format", "jpeg") == 0
    expected = local.translate_references(sources[0], "circle", [sources[1]], "jpeg")[0]
    assert without_metadata((tmp_path / "photo_circle_reference.jpg").read_bytes()) == expected.image


def test_names_of_results_fit_whatever_the_image_is_called(command, tmp_path):
    name = "n" * 246 + ".png"
    (tmp_path / "photo.png").rename(tmp_path / name)
    assert command("translate", "--image", name, "--domain", "circle", "--styles", "2", "--output", "new") == 0
    names = [path.name for path in (tmp_path / "new").iterdir()]
    assert len(names) == 4 and all(name.startswith("n" * 180) for name in names)


def test_translate_files_of_other_formats(command, local, sources, tmp_path):
    for name in ("photo.gif", "reference.webp"):
        Image.open(io.BytesIO(sources[0])).save(tmp_path / name)
    words = ["translate", "--image=photo.gif", "--reference=reference.webp", "--domain=circle", "--output=new.png"]
    assert command(*words) == 0
    image, reference = (
        to_png(decode_image((tmp_path / name).read_bytes())) for name in ("photo.gif", "reference.webp")
    )
    assert (
        without_metadata((tmp_path / "new.png").read_bytes())
        == local.translate_references(image, "circle", [reference])[0].image
    )


def test_domains_and_status(command, capsys):
    assert command("domains") == 0
    out = capsys.readouterr().out
    assert "domains: circle, square, triangle\n" in out
    assert "latent_dim: 4\n" in out
    assert command("status", protocol="rest") == 0
    assert capsys.readouterr().out == "version 1: AVAILABLE\n"


@pytest.mark.parametrize("suffix", [".png", ".json"])
def test_nothing_is_overwritten_and_nothing_asked(suffix, command, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(GrpcClient, "_predict", lambda *arguments: pytest.fail("the server was asked"))
    (tmp_path / f"photo_circle_1{suffix}").write_text("precious")
    words = ["translate", "--image", "photo.png", "--domain", "circle", "--styles", "3"]
    assert command(*words, "--output", ".") == 2
    assert f"'photo_circle_1{suffix}' exists" in capsys.readouterr().err
    (tmp_path / f"cat{suffix}").write_text("precious")
    assert command("translate", "--image", "photo.png", "--domain", "circle", "--output", "cat.png") == 2
    assert f"'cat{suffix}' exists" in capsys.readouterr().err
    assert {path.read_text() for path in tmp_path.iterdir() if path.suffix == suffix and "_" in path.name} == {
        "precious"
    }
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--domain", "zebra"], "domain is 'zebra'; it must be one of circle, square, triangle"),
        (["--domain", "circle", "--psi", "2"], "--psi is 2; it must be between 0 and 1"),
        (["--domain", "circle", "--image", "nowhere.png"], "cannot read 'nowhere.png' (--image)"),
        (["--domain", "circle", "--image", "words.npy"], "'words.npy' (--image) cannot be read: not an image"),
        (["--domain", "circle", "--reference", "words.npy"], "'words.npy' (--reference) cannot be read: not an image"),
        (["--domain", "circle", "--reference", "nowhere.png"], "cannot read 'nowhere.png' (--reference)"),
        (["--style", "nowhere.npy"], "cannot read 'nowhere.npy' (--style)"),
        (["--style", "photo.png"], "'photo.png' (--style) is not a .npy file"),
        (["--style", "long.npy"], "style has 9 numbers; it must have 8"),
        (["--style", "words.npy"], "'words.npy' (--style) does not hold a style code"),
        (["--style", "long.npy", "--domain", "circle"], "--domain is 'circle', but the style codes"),
        (["--style", "long.npy", "--seed", "3"], "--seed and --style are given"),
        ([], "--domain is not given"),
        (["--image", "nowhere.png"], "--domain is not given"),
        (["--domain", "circle", "--styles", "0"], "--styles is 0; it must be at least 1"),
        (["--domain", "circle", "--seed", str(2**63)], f"--seed is {2**63}; seeds must be whole numbers of 64 bits"),
        (["--domain", "circle", "--styles", "2", "--output", "one.png"], "one file, but 2 images"),
        (["--domain", "circle", "--output", "one.png", "--format", "jpeg"], "--format is jpeg, but --output"),
        (["--domain", "circle", "--timeout", "0"], "--timeout is 0; it must be above 0"),
        (["--domain", "circle", "--retries", "-1"], "--retries is -1; it must be at least 0"),
        (["--domain", "circle", "--model", "unicorn"], "does not serve 'unicorn'"),
        (["--domain", "circle", "--server", f"{HOST}:1", "--retries", "0"], f"{HOST}:1 is unavailable; tried 1 times"),
        (["--colour", "red"], "--colour"),
    ],
)
def test_a_mistake_gets_one_sentence(words, sentence, command, tmp_path, capfd):
    np.save(tmp_path / "long.npy", np.zeros(9, np.float32))
    np.save(tmp_path / "words.npy", np.array(["a"]))
    before = set(tmp_path.iterdir())
    defaults = {"--image": "photo.png", "--output": "new"}
    for flag, value in defaults.items():
        if flag not in words:
            words = [flag, value, *words]
    expected = ExitCode.TRY_AGAIN if "unavailable" in sentence else ExitCode.MISTAKE
    assert command("translate", *words) == expected
    err = capfd.readouterr().err
    assert err.count("\n") == 1
    assert sentence in err
    assert set(tmp_path.iterdir()) == before


def test_an_action_must_be_named(capsys):
    for words, sentence in (
        (["--server", "somewhere"], "no action is named; it must be one of translate, domains, status"),
        (["conquer", "--server", "somewhere"], "there is no action 'conquer'; choose translate, domains, status"),
    ):
        assert main(words) == 2
        err = capsys.readouterr().err
        assert sentence in err and err.count("\n") == 1
    for words, shown in ((["--help"], "Translates an image"), (["translate", "--help"], "--reference REFERENCE")):
        with pytest.raises(SystemExit, match="0"):
            main(words)
        assert shown in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "index"),
    [
        (["status", "--server", "x"], 0),
        (["--server", "status", "status"], 2),
        (["--tls", "status", "--server", "x"], 1),
        (["--tls", "true", "status"], 2),
        (["--server=x", "--headers", "a: b", "c: d", "status"], 4),
        (["conquer", "--server", "s"], 0),
        (["--server", "s"], None),
    ],
)
def test_the_action_may_stand_after_flags_of_the_connection(words, index):
    assert _action(words) == index


def test_a_server_must_be_named(capsys):
    for action in ("domains", "status"):
        assert main([action]) == 2
        assert f"{action}: error: missing: --server; " in capsys.readouterr().err


def test_version_and_label_do_not_go_together(command, capsys):
    assert command("status", "--version", "1", "--label", "stable") == 2
    assert "version is 1 and label is 'stable'; only one of them" in capsys.readouterr().err


def test_results_say_that_they_are_synthetic_and_what_made_them(command, local, trained_run, sources, tmp_path):
    words = ["translate", "--image=photo.png", "--domain=circle"]
    assert command(*words, "--seed=7", "--psi=0.5", "--output=drawn.png") == 0
    told = read_metadata((tmp_path / "drawn.png").read_bytes())
    assert told["source_type"] == "trainedAlgorithmicMedia"
    assert told["model"] == "stargan, version 1"
    assert told["networks"] == Translator.from_run(trained_run).fingerprint == local.card["networks"]
    assert told["styles"] == [{"domain": "circle", "seed": "7", "psi": "0.5"}]

    assert command(*words, "--reference=reference.png", "--output=referred.jpg") == 0
    reference = hashlib.sha256(sources[1]).hexdigest()
    told = read_metadata((tmp_path / "referred.jpg").read_bytes())
    assert told["styles"] == [{"domain": "circle", "reference_sha256": reference}]

    code = local.translate_latent(sources[0], "circle", [7], 0.5)[0].style
    np.save(tmp_path / "code.npy", code)
    assert command("translate", "--image=photo.png", "--style=code.npy", "--output=again.png") == 0
    code = hashlib.sha256(code.tobytes()).hexdigest()
    assert read_metadata((tmp_path / "again.png").read_bytes())["styles"] == [{"style_sha256": code}]

    assert command(*words, "--output=plain.png", "--provenance=false") == 0
    assert (tmp_path / "plain.png").read_bytes() == local.translate_latent(sources[0], "circle", [0])[0].image
