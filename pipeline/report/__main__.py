"""Runs `python -m pipeline.report`."""

import sys

from pipeline.report import main

if __name__ == "__main__":
    sys.exit(main())
