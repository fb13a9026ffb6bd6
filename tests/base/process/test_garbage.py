import gc

import pytest

from stargan_tf.base import command_line
from stargan_tf.base.process import garbage


@pytest.mark.parametrize("block", [garbage.not_looked_for, command_line.quiet_start])
def test_nothing_is_looked_for_within_the_block(block):
    assert gc.isenabled()
    with block():
        assert not gc.isenabled()
        with garbage.not_looked_for():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError), block():
        raise ZeroDivisionError
    assert gc.isenabled()
