"""What the page's images say of themselves when they are downloaded."""

import hashlib

import pytest

from stargan_tf.page.actions import Actions
from tests.metadata import read_metadata, without_metadata


def test_images_say_that_they_are_synthetic_and_what_made_them(local_model, images_path):
    actions = Actions(local_model)
    source, reference = (images_path / "val" / name / "00000.png" for name in ("circle", "square"))
    session = actions.start({"domain": "square", "seed": "4", "psi": "0.5"})
    session = actions.choose_reference(actions.choose_source(session, str(source)), str(reference))
    told = [read_metadata(drawn.image) for drawn in session.drawn]
    assert {one["source_type"] for one in told} == {"trainedAlgorithmicMedia"}
    assert {one["networks"] for one in told} == {local_model.card["networks"]}
    digest = hashlib.sha256(reference.read_bytes()).hexdigest()
    assert [one["styles"] for one in told[:2]] == [
        [{"domain": "square", "reference_sha256": digest}],
        [{"domain": "square", "seed": "4", "psi": "0.5"}],
    ]
    mixed = actions.mix(session, 0.25)
    first, second = (one["styles"][0] for one in told[:2])
    assert read_metadata(mixed.shown.image)["styles"] == [first | {"share": "0.75"}, second | {"share": "0.25"}]
    again = actions.mix(actions.mark(mixed, 0), 0.5)  # of a mixture and a style
    shares = [float(style["share"]) for style in read_metadata(again.shown.image)["styles"]]
    assert sum(shares) == pytest.approx(1)


def test_it_can_be_turned_off(local_model, images_path):
    source = str(images_path / "val" / "circle" / "00000.png")
    (plain, marked) = (
        actions.choose_source(actions.start({}), source).drawn[0].image
        for actions in (Actions(local_model, provenance=False), Actions(local_model))
    )
    assert read_metadata(plain) is None
    assert without_metadata(marked) == plain
