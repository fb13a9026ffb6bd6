import hashlib
import json

import numpy as np
import pytest

from stargan_tf.base.errors import UserError
from stargan_tf.inference import style_file

pytestmark = pytest.mark.slow


@pytest.fixture
def styles(translator):
    return style_file.drawn_styles(translator, "square", [3, 4], 0.7, translator.draw_latents(2, 3))


@pytest.fixture
def path(styles, translator, tmp_path):
    style_file.write(styles[1], tmp_path / "new" / "style.json", translator, "runs/pets")
    return tmp_path / "new" / "style.json"


def changed(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return path


def test_a_style_comes_back_as_it_was(styles, path, translator):
    style = style_file.read(path, translator)
    np.testing.assert_array_equal(style.code, styles[1].code)
    assert style.code.dtype == np.float32 and style.domain == "square" and style.origin == styles[1].origin
    entry = json.loads(path.read_text())
    assert (entry["seed"], entry["psi"], entry["run"], entry["step"]) == (4, 0.7, "runs/pets", 2)
    # By its seed it can be drawn again.
    latents = translator.draw_latents(1, entry["seed"])
    again = translator.styles_from_latents(latents, "square", 0.7)[0]
    np.testing.assert_allclose(again, style.code, rtol=1e-5, atol=1e-6)


def test_a_style_of_a_reference_tells_where_it_comes_from(translator, tmp_path):
    image = np.random.default_rng(0).uniform(-1, 1, (16, 16, 3)).astype(np.float32)
    (tmp_path / "a.png").write_bytes(b"its file")
    (style,) = style_file.reference_styles(translator, "circle", [(tmp_path / "a.png", image)])
    style_file.write(style, tmp_path / "style.json", translator, "run")
    assert style_file.read(tmp_path / "style.json", translator).origin == {
        "reference": str(tmp_path / "a.png"),
        "reference_sha256": hashlib.sha256(b"its file").hexdigest(),
    }
    np.testing.assert_array_equal(style.code, translator.styles_from_references(image[None], "circle")[0])


def test_a_style_of_other_networks_is_refused_unless_it_is_wanted(path, translator):
    changed(path, networks="0123456789ab", step=1)
    with pytest.raises(UserError, match=r"other networks \(step 1, 0123456789ab\).*anew with --seed 4 --psi 0.7, or"):
        style_file.read(path, translator)
    assert style_file.read(path, translator, other_networks=True).domain == "square"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"style": [0.0] * 64}, "has 64 numbers, but the run's have 8"),
        ({"domain": "zebra"}, "is of domain 'zebra'; the run knows circle, square, triangle"),
        ({"style": [0.0] * 7 + ["x"]}, "is not a style file"),
        ({"style": [0.0] * 7 + [float("nan")]}, "is not a style file"),
    ],
)
def test_a_style_that_cannot_be_used_is_refused_in_any_case(changes, sentence, path, translator):
    with pytest.raises(UserError, match=sentence):
        style_file.read(changed(path, **changes), translator, other_networks=True)


@pytest.mark.parametrize("content", ["", "[1, 2]", '{"style": [1]}', "\0\x80", None])
def test_what_is_not_a_style_file_is_named(content, translator, tmp_path):
    path = tmp_path / "style.json"
    if content is not None:
        path.write_bytes(content.encode("latin-1"))
    with pytest.raises(UserError, match=r"style\.json"):
        style_file.read(path, translator)


def test_the_fingerprint_is_that_of_the_weights(translator, trained_run):
    from stargan_tf.inference.translator import Translator

    assert Translator.from_run(trained_run, batch_size=1).fingerprint == translator.fingerprint
    assert len(translator.fingerprint) == 12
