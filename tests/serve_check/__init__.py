"""An exported model behind the real TF Serving: `python -m tests.serve_check --models MODELS/stargan`.

Starts the stock image by the model's own compose.yaml, asks it everything by gRPC and REST, compares the answers with
those of the same model in this process, and stops the container. Each check is a row with what was found and what was
expected. Not a part of pytest, since it needs Docker and downloads the image; against the double of TF Serving
(`tests/serving/test_serve_check.py`) everything is run but Docker. With --grpc and --rest it asks a server that runs
already, wherever that is; of that server no labels are moved.
"""

from tests.serve_check.command import main

__all__ = ["main"]
