import os
import signal

import pytest

from stargan_tf.training.hooks.stop_signals import StopSignals

NUMBERS = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture(autouse=True)
def harmless_handlers():
    """Handlers of our own outside, so that a signal that is let through shows up instead of ending the tests."""
    seen = []
    previous = {number: signal.signal(number, lambda number, frame: seen.append(number)) for number in NUMBERS}
    yield seen
    for number, handler in previous.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_is_noted(number, harmless_handlers):
    with StopSignals() as stop:
        assert stop.received is None
        os.kill(os.getpid(), number)
        assert stop.received is number
    assert harmless_handlers == []


@pytest.mark.parametrize("number", NUMBERS)
def test_the_handlers_are_restored(number, harmless_handlers):
    before = [signal.getsignal(number) for number in NUMBERS]
    with pytest.raises(ZeroDivisionError), StopSignals():
        assert [signal.getsignal(number) for number in NUMBERS] != before
        raise ZeroDivisionError
    assert [signal.getsignal(number) for number in NUMBERS] == before
    os.kill(os.getpid(), number)
    assert harmless_handlers == [number]


@pytest.mark.parametrize("first", NUMBERS)
def test_a_second_interrupt_insists(first, harmless_handlers):
    stop = StopSignals()
    with pytest.raises(KeyboardInterrupt), stop:
        os.kill(os.getpid(), first)
        os.kill(os.getpid(), signal.SIGINT)
        pytest.fail("the second signal did not interrupt")
    assert stop.received is first
    assert harmless_handlers == []


def test_a_second_sigterm_does_not(harmless_handlers):
    with StopSignals() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.received is signal.SIGTERM
    assert harmless_handlers == []
