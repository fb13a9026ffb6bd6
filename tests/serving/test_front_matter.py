"""The head of a model's page, read by the Hub's own library."""

import pytest

from stargan_tf.serving import front_matter

huggingface_hub = pytest.importorskip("huggingface_hub", reason="pip install '.[hub]' brings the Hub's library")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("not stated", {"license": "unknown"}),
        ("CC0-1.0", {"license": "cc0-1.0"}),
        ("CC BY 4.0", {"license": "cc-by-4.0"}),
        ("cc-by-nc-sa-4.0", {"license": "cc-by-nc-sa-4.0"}),
        ("Apache-2.0", {"license": "apache-2.0"}),
        ("ask the owner: me@example.org", {"license": "other", "license_name": "ask-the-owner-me-example.org"}),
        ("?", {"license": "other", "license_name": "other"}),
    ],
)
def test_licences_are_named_as_the_hub_names_them(text, expected):
    assert front_matter.licence(text) == expected


def test_the_hub_reads_the_card_of_an_exported_model(exported_model):
    card = huggingface_hub.ModelCard.load(exported_model / "1" / "README.md")
    assert card.data.license == "unknown"
    assert card.data.library_name == "stargan-tf"
    assert card.data.pipeline_tag == "image-to-image"
    assert {"stargan-v2", "tensorflow"} <= set(card.data.tags)
    assert card.text.lstrip().startswith("# stargan, version 1")


def test_texts_of_users_cannot_leave_the_head():
    head = front_matter.head({"title": "---\nlicense: mit", "emoji": "🎨"})
    assert huggingface_hub.ModelCard(f"{head}\ntext").data.to_dict()["title"] == "---\nlicense: mit"
