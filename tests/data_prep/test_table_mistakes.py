"""What is said of tables as people have them, where they are not what the job expects."""

import pytest

from data_prep.sources import SourceOptions, open_source
from stargan_tf.base.errors import UserError
from tests.data_prep import jobs


def make(place, rows, first="path,label"):
    """A table `t.csv`, beside a folder `pictures` with four images."""
    (place / "pictures").mkdir()
    for number in range(4):
        jobs.noise(16, 16, number).save(place / "pictures" / f"{number}.png")
    (place / "t.csv").write_text("\n".join(filter(None, [first, *rows])) + "\n")
    return place / "t.csv"


@pytest.mark.parametrize(
    ("form", "flags", "message"),
    [
        ("{}.png", (), "names '0.png', and neither that nor others it names are in .*; --images names the folder"),
        (
            "/home/me/{}.png",
            ("--domain", "0", "--domain", "1"),
            "names '/home/me/0.png', .*; --images names the folder",
        ),
        (r"pictures\{}.png", (), "; write its paths with / instead of"),
        ("pictures/{}", (), "; 'pictures/0.png' is there, so write its paths with their ending"),
    ],
)
def test_paths_that_lead_nowhere_are_one_sentence_before_any_work(tmp_path, capsys, form, flags, message):
    table = make(tmp_path, [f"{form.format(number)},{number % 2}" for number in range(4)])
    assert jobs.run(table, tmp_path / "out", *flags) == 2
    said = capsys.readouterr()
    assert "images of" not in said.out
    (line,) = said.err.splitlines()
    with pytest.raises(UserError, match=message):
        raise UserError(line)


def test_some_paths_that_lead_nowhere_are_rejected_images(tmp_path, capsys):
    rows = [f"pictures/{number}.png,{number % 2}" for number in (8, 0, 9, 1, 2, 3)]
    assert jobs.run(make(tmp_path, rows), tmp_path / "out", "--max_rejected", "0.5", "--val_fraction", "0") == 0
    assert "rejected 'pictures/8.png': No such file or directory" in capsys.readouterr().out


def open_table(place, **options):
    return open_source(str(place), SourceOptions(**options), f"{place}.work")


@pytest.mark.parametrize("name", ["split", "Split", "partition"])
def test_a_column_of_splits_that_nobody_asked_for_is_said(tmp_path, name):
    rows = [f"pictures/{number}.png,{number % 2},{'test' if number > 1 else 'train'}" for number in range(4)]
    table = make(tmp_path, rows, f"path,label,{name}")
    assert open_table(table).notes == (
        f"the column {name!r} is not looked at, and a hash chooses validation images; --split_column {name} takes it",
    )
    assert open_table(table, split_column=name).notes == ()
    with pytest.raises(
        UserError, match=r"no row of .*t.csv is of a split that is taken: its column 'label' has '0', '1'"
    ):
        open_table(table, split_column="label", label_column=name)


def test_a_table_without_a_line_of_names(tmp_path):
    table = make(tmp_path, [f"pictures/{number}.png,{number % 2}" for number in range(4)], first="")
    with pytest.raises(UserError, match="its first line should hold the names of the columns"):
        open_table(table)
