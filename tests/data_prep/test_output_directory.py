import pytest

from data_prep.output_directory import check_output, complete_or_absent
from stargan_tf.base.errors import UserError


def test_the_output_appears_only_when_complete(tmp_path):
    output = tmp_path / "new" / "output"
    with complete_or_absent(output) as directory:
        (directory / "file").write_text("content")
        assert not output.exists()
    assert (output / "file").read_text() == "content"
    assert [child.name for child in output.parent.iterdir()] == ["output"]


def test_an_empty_directory_may_be_there(tmp_path):
    (tmp_path / "output").mkdir()
    with complete_or_absent(tmp_path / "output") as directory:
        (directory / "file").touch()
    assert (tmp_path / "output" / "file").exists()


def test_overwriting_replaces_at_the_end_and_a_failure_keeps_the_old(tmp_path):
    output = tmp_path / "output"
    output.mkdir()
    (output / "old").touch()
    with pytest.raises(ZeroDivisionError), complete_or_absent(output, overwrite=True) as directory:
        (directory / "new").touch()
        raise ZeroDivisionError
    assert [child.name for child in output.iterdir()] == ["old"]
    with complete_or_absent(output, overwrite=True) as directory:
        (directory / "new").touch()
        assert (output / "old").exists()
    assert [child.name for child in output.iterdir()] == ["new"]
    assert [child.name for child in tmp_path.iterdir()] == ["output"]


def test_what_appeared_meanwhile_is_kept(tmp_path):
    output = tmp_path / "output"
    with pytest.raises(UserError, match="not empty"), complete_or_absent(output):
        output.mkdir()
        (output / "theirs").touch()
    assert [child.name for child in output.iterdir()] == ["theirs"]


def test_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=f"--output {tmp_path / 'file'} is a file"):
        check_output(tmp_path / "file", overwrite=True)
