import json

import pytest

from data_prep.sources import SourceOptions, open_source
from data_prep.sources.labels import UNNAMED, choose_labels
from stargan_tf.base.errors import UserError
from tests.data_prep.jobs import noise, read_examples, run

LABELS = ("Pepper,_bell___healthy", "Tomato___Late_blight", "Tomato___healthy", "a=b", "cat", "dog")


@pytest.mark.parametrize(
    ("rules", "domain_of"),
    [
        (["cat", "dog"], {"cat": "cat", "dog": "dog"}),
        (["kitten=cat", "dog"], {"cat": "kitten", "dog": "dog"}),
        (["pepper = Pepper,_bell___healthy", "pet=cat", "pet=dog"], {LABELS[0]: "pepper", "cat": "pet", "dog": "pet"}),
        (["tomato=Tomato___*"], {LABELS[1]: "tomato", LABELS[2]: "tomato"}),
        (["Tomato___*"], {LABELS[1]: LABELS[1], LABELS[2]: LABELS[2]}),
        (["a=b", "b=?at"], {"a=b": "a=b", "cat": "b"}),
        (["c=a=b"], {"a=b": "c"}),
    ],
)
def test_labels_are_chosen_renamed_and_joined(rules, domain_of):
    assert choose_labels(rules, LABELS, "here") == domain_of


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (["kitten=Cat"], r"--domain 'kitten=Cat' fits no label of here; it has 'Pepper,_bell___healthy', 'Tomato"),
        (["=cat"], "--domain '=cat' is not of the form NAME=LABEL"),
        (["pet="], "--domain 'pet=' is not of the form NAME=LABEL"),
        (["healthy=*healthy", "tomato=Tomato*"], "label 'Tomato___healthy' into two domains, 'healthy' and 'tomato'"),
        (["x=y*"], "'x=y[*]' fits no label"),
        (["Tomato___Late_blight, Tomato___healthy"], "fits no label of here; .*; give --domain once for each"),
    ],
)
def test_rules_that_fit_nothing_or_twice_are_named(rules, message):
    with pytest.raises(UserError, match=message):
        choose_labels(rules, LABELS, "here")


def test_of_many_labels_those_like_it_are_named():
    labels = [f"label {number:03d}" for number in range(1000)]
    with pytest.raises(UserError, match=r"did you mean 'label 777'.*\? it has 'label 000', .* and 960 more"):
        choose_labels(["label777"], labels, "here")


def make_folder(root):
    for index, domain in enumerate(("cat", "dog", "fox", "owl")):
        (root / "train" / domain).mkdir(parents=True)
        for number in range(2):
            noise(20, 24, 10 * index + number).save(root / "train" / domain / f"{number}.png")
    return root


def test_labels_of_a_folder(tmp_path):
    folder = make_folder(tmp_path)
    source = open_source(str(folder), SourceOptions(domain=("pet=cat", "pet=dog", "wild fox=fox")), "")
    images = {image.key: image.domain for image in source.images()}
    assert source.domains == ("pet", "wild fox")
    assert images == {
        **{f"train/{label}/{number}.png": "pet" for label in ("cat", "dog") for number in range(2)},
        **{f"train/fox/{number}.png": "wild fox" for number in range(2)},
    }
    assert source.ignored == {UNNAMED: 2}
    with pytest.raises(UserError, match="only one domain, 'pet'"):
        open_source(str(folder), SourceOptions(domain=("pet=*",)), "")


@pytest.mark.slow
def test_the_job_renames_and_counts(tmp_path, capsys):
    folder = make_folder(tmp_path / "in")
    flags = ("--domain", "pet=cat", "--domain", "pet=dog", "--domain", "bird=owl", "--val_fraction", "0")
    assert run(folder, tmp_path / "out", *flags) == 0
    assert f"ignored: 2 {UNNAMED}" in capsys.readouterr().out
    examples = read_examples(tmp_path / "out")
    assert sorted(split for split, _ in examples) == ["train_bird"] * 2 + ["train_pet"] * 4
    assert json.loads((tmp_path / "out" / "statistics.json").read_text())["ignored"] == {UNNAMED: 2}
