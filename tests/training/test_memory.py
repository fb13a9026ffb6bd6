from dataclasses import replace

import pytest
import tensorflow as tf

from stargan_tf.base import command_line
from stargan_tf.base.errors import UserError
from stargan_tf.config import Config, DataConfig, RunConfig
from stargan_tf.training.memory import enough_memory
from tests.base.test_command_line import Arguments

CONFIG = Config(input=DataConfig(batch_size=8), training=RunConfig(microbatches=2))


@pytest.fixture(scope="module")
def error() -> Exception:
    """TensorFlow's error after an allocation that really failed, for which it takes ten seconds."""
    try:
        # More bytes than a process has addresses for, however much the system is ready to promise.
        tf.function(lambda: tf.reduce_sum(tf.random.uniform([2**46])), autograph=False)()
    except tf.errors.ResourceExhaustedError as error:
        return error
    raise AssertionError("it was not refused")


@pytest.mark.slow
def test_what_needs_less_is_named(error):
    with pytest.raises(UserError) as raised, enough_memory(CONFIG):
        raise error
    assert str(raised.value) == (
        "the memory of CPU:0 is used up (there was none for values of shape [70368744177664]); compute the batch of 8 "
        "in more parts (--training.microbatches 4), keep less between the passes (--training.rematerialize true), "
        "keep no memory that tensors gave back (--training.memory_pool false), or take a smaller batch "
        "(--input.batch_size 4)"
    )
    done = replace(CONFIG, training=replace(CONFIG.training, rematerialize=True, memory_pool=False))
    with pytest.raises(UserError, match=r"^(?!.*(rematerialize|memory_pool))"), enough_memory(done):
        raise error


@pytest.mark.slow
def test_every_command_tells_it_in_a_sentence(error, capsys):
    def fail(arguments):
        raise error

    assert command_line.main(Arguments, fail, "program", argv=["--path", "x"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("program: error: the memory of CPU:0 is used up (there was none for values of shape [7036")
    assert err.endswith("work on fewer images at once (a smaller --batch_size, where there is one)\n")


def test_of_python():
    with pytest.raises(UserError, match="the memory of this machine is used up"), enough_memory(CONFIG):
        bytearray(2**60)


@pytest.mark.parametrize(
    "error",
    [
        tf.errors.ResourceExhaustedError(None, None, "runs/1/x; No space left on device"),
        tf.errors.InvalidArgumentError(None, None, "of another kind"),
        ValueError("x"),
    ],
)
def test_other_errors_stay(error):
    with pytest.raises(type(error)) as raised, enough_memory(CONFIG):
        raise error
    assert raised.value is error
