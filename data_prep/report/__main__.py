"""Runs `python -m data_prep.report`."""

import sys

from data_prep.report import main

if __name__ == "__main__":
    sys.exit(main())
