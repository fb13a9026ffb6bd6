"""Runs `python -m data_prep.report`."""

import sys

from data_prep.report import main

sys.exit(main())
