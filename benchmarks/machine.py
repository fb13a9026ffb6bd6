"""What a benchmark ran on."""

import platform
from pathlib import Path


def processor() -> str:
    """Returns the name of the processor, as the system reports it."""
    cpuinfo = Path("/proc/cpuinfo")
    names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
    return names[0] if names else platform.machine()
