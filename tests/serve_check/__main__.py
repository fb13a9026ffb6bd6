"""The check as a command."""

import sys

from tests.serve_check.command import main

sys.exit(main())
