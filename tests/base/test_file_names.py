import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stargan_tf.base.file_names import LONGEST, file_name, file_names, same_file


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("cat", "cat"),
        ("golden retriever, young", "golden retriever, young"),
        ("猫", "猫"),
        ("cat/dog", "cat_dog"),
        ("a\\b\0c\nd", "a_b_c_d"),
        ("..", "_.."),
        (".hidden", "_.hidden"),
        ("", "_"),
    ],
)
def test_a_name_is_the_text_where_that_can_be_one(text, name):
    assert file_name(text) == name


def test_a_long_name_is_cut_and_stays_different():
    one, other = file_name("é" * 150 + "1"), file_name("é" * 150 + "2")
    assert one != other and one.startswith("é" * 90)
    assert len(one.encode()) <= LONGEST and len(other.encode()) <= LONGEST


def test_names_that_would_meet_get_numbers():
    assert file_names(["a/b", "a_b", "A_B", "c"]) == {"a/b": "a_b", "a_b": "a_b-2", "A_B": "A_B-3", "c": "c"}
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    assert file_names([composed, decomposed]) == {composed: composed, decomposed: f"{decomposed}-2"}


@given(st.lists(st.one_of(st.text(), st.text("aA_/.-2é", max_size=4), st.text("字", min_size=60, max_size=90))))
def test_any_texts_have_names_of_their_own(texts):
    names = file_names(texts)
    assert names.keys() == set(texts)
    assert len({same_file(name) for name in names.values()}) == len(names)
    for name in names.values():
        assert len(name.encode("utf-8", "surrogatepass")) <= LONGEST
        assert name not in ("", ".", "..") and "/" not in name and "\0" not in name


def test_a_name_that_is_no_text_is_kept():
    assert os.fsencode(file_name(os.fsdecode(b"caf\xe9"))) == b"caf\xe9"
