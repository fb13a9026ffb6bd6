import subprocess
import sys

CODE = """
import threading, time
from stargan_tf.data.shutdown import awaited

def call():
    try:
        with awaited():
            started.set()
            time.sleep(0.3)
            print("a call ended", flush=True)
    except RuntimeError:
        print("a call was refused", flush=True)

def call_again_and_again():
    for _ in range(2):
        call()

started = threading.Event()
threading.Thread(target=call_again_and_again, daemon=True).start()  # a daemon, as tf.data's threads are
started.wait()
"""


def test_a_process_ends_after_the_calls_that_run_and_takes_no_more():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines() == ["a call ended", "a call was refused"]
    assert done.stderr == ""
