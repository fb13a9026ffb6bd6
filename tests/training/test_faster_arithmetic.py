import pytest

from stargan_tf.config import RunConfig
from stargan_tf.training import faster_arithmetic

OLD = "processor\t: 0\nflags\t\t: fpu sse2 avx2 avx512f\n"
NEW = "processor\t: 0\nflags\t\t: fpu avx512f avx512_bf16\n"


@pytest.mark.parametrize(
    ("gpus", "cpu", "expected"),
    [
        ([], OLD, False),
        ([], NEW, True),
        ([], NEW.replace("avx512_bf16", "amx_bf16 amx_tile"), True),
        ([], None, False),  # no Linux
        ([(7, 5)], NEW, False),  # the GPU trains
        ([(8, 0), (9, 0)], OLD, True),
        ([(8, 0), None], OLD, False),
    ],
)
def test_who_has_bfloat16(gpus, cpu, expected, tmp_path):
    facts = tmp_path / "cpuinfo"
    if cpu is not None:
        facts.write_text(cpu)
    assert faster_arithmetic.has_bfloat16(gpus, facts) is expected


def test_the_note_is_for_runs_that_do_not_use_it(tmp_path, monkeypatch):
    facts = tmp_path / "cpuinfo"
    facts.write_text(NEW)
    monkeypatch.setattr(faster_arithmetic, "_CPU_FACTS", facts)
    assert "--training.precision mixed_bfloat16" in faster_arithmetic.note(RunConfig())
    assert faster_arithmetic.note(RunConfig(precision="mixed_bfloat16")) is None
    facts.write_text(OLD)
    assert faster_arithmetic.note(RunConfig()) is None
