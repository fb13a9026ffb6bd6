"""The command that serves the page: its signals, its mistakes."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import pytest

from stargan_tf import demo
from stargan_tf.base.errors import ExitCode

# Nothing takes as long, on a machine that is not busy with other things.
SECONDS = 120


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_insists(number):
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), demo.signalled() as stop:
        os.kill(os.getpid(), number)
        assert stop.wait(SECONDS)
        os.kill(os.getpid(), number)
        time.sleep(SECONDS)
    assert signal.getsignal(number) is before


def test_a_signal_ends_the_command(exported_model):
    """In a process of its own: a signal that is not caught must not end the tests."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    address = f"http://127.0.0.1:{port}/"
    command = [sys.executable, "-m", "stargan_tf.demo", "--model", str(exported_model), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        too_late = threading.Timer(SECONDS, process.kill)
        too_late.start()
        assert process.stdout.readline() == f"the page is at {address} (Ctrl-C ends it)\n"
        with urllib.request.urlopen(address, timeout=SECONDS) as answer:
            assert "stargan: try the model" in answer.read().decode()
        process.terminate()
        assert process.stdout.read() == "the page has ended\n"
        assert process.wait() == 0
        too_late.cancel()


def test_mistakes_get_one_sentence(exported_model, tmp_path, capsys, monkeypatch):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        busy = listener.getsockname()[1]
        model = ["--model", str(exported_model)]
        for arguments, sentence in (
            ([*model, "--server", "localhost:8500"], "--model and --server are given; give one of them"),
            (["--model", str(tmp_path)], "there is no exported model in"),
            ([*model, "--port", str(busy)], f"cannot serve at port {busy} of 127.0.0.1 (Address already in use)"),
            ([*model, "--port", "70000"], "--port is 70000; it must be from 0 to 65535"),
            ([*model, "--host", "no.such.host.invalid"], "--host is 'no.such.host.invalid'; it must be an address"),
        ):
            assert demo.main([*([] if "--port" in arguments else ["--port", "0"]), *arguments]) == 2
            err = capsys.readouterr().err
            assert sentence in err
            assert err.count("\n") == 1
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert demo.main([*model, "--port", "0"]) == 2
    assert "`pip install 'stargan-tf[demo]'` installs it" in capsys.readouterr().err


def test_an_unreachable_server_gets_one_sentence(capsys):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))  # but nobody listens
        server = f"127.0.0.1:{listener.getsockname()[1]}"
        assert demo.main(["--server", server, "--port", "0"]) == ExitCode.TRY_AGAIN
    err = capsys.readouterr().err
    assert server in err
    assert err.count("\n") == 1
