"""A test double of TF Serving, whose binary is not at hand; as a process `python -m tests.serving_double --model DIR`.

The interfaces are those of TF Serving: gRPC by the stubs of tensorflow-serving-api, REST by the paths and the JSON
that it documents. The model is loaded as TF Serving loads it, by the session loader, and fed by the tensor names of
its signatures. Codes and messages of errors are those of TF Serving's source where clients see them. Of batching it
has what concerns results: which requests are merged, how they are padded and split, and what they do to one another.

What it is not: fast, or a proof of anything about the binary's start, reloading, warm-up and monitoring.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
