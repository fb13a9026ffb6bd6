"""Flags of the stages' commands are those of a run."""

import pytest

from pipeline.components import trainer
from pipeline.section_flags import hints_name, with_new_names
from stargan_tf.base.errors import RefusedError, UserError


def test_hints_name_the_flag_of_the_command_that_was_given():
    told = "lower --optimizers.learning_rate (with --allow_changes); --init_from and --data stay; not --optimizers.none"
    with pytest.raises(RefusedError) as refused, hints_name("trainer", trainer.Settings):
        raise RefusedError(told)
    assert str(refused.value) == (
        "lower --trainer.optimizers.learning_rate (with --trainer.allow_changes); --init_from and --data stay; "
        "not --optimizers.none"
    )


def test_no_other_error_is_touched():
    with pytest.raises(KeyError, match="--allow_changes"), hints_name("trainer", trainer.Settings):
        raise KeyError("--allow_changes")
    with pytest.raises(UserError, match=r"^there is no preset$"), hints_name("trainer", trainer.Settings):
        raise UserError("there is no preset")


def test_earlier_names_of_flags_are_taken():
    argv = ["--settings.training.steps=2", "--settings.preset", "x", "--settingsfile=y", "a--settings.b"]
    expected = ["--trainer.training.steps=2", "--trainer.preset", "x", "--settingsfile=y", "a--settings.b"]
    assert with_new_names(argv, {"settings": "trainer"}) == expected
