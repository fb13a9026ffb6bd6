"""Runs `python -m pipeline.report`."""

import sys

from pipeline.report import main

sys.exit(main())
