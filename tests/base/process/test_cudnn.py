"""Which cuDNN XLA can work with."""

import pytest

from stargan_tf.base.errors import UserError
from stargan_tf.base.process import cudnn


@pytest.mark.parametrize("version", [(9, 3, 0), (9, 5, 1)])
def test_with_some_xla_finds_no_convolution(version, monkeypatch):
    monkeypatch.setattr(cudnn, "version", lambda: version)
    with pytest.raises(UserError, match=rf"this is 9\.{version[1]}\.{version[2]}, .*brings a later one"):
        cudnn.check_for_xla()


@pytest.mark.parametrize("version", [None, (9, 4, 0), (9, 10, 2), (9, 30, 0)])
def test_others_and_none_are_left_alone(version, monkeypatch):
    monkeypatch.setattr(cudnn, "version", lambda: version)
    cudnn.check_for_xla()


def test_a_library_that_is_none_is_passed_over(tmp_path, monkeypatch):
    folder = tmp_path / "nvidia" / "cudnn" / "lib"
    folder.mkdir(parents=True)
    (folder / "libcudnn.so.9").write_text("not a library")
    monkeypatch.syspath_prepend(tmp_path)
    found = cudnn.version()
    assert found is None or found[0] == 9  # the machine's own
