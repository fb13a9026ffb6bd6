"""Tests of what `benchmarks/` measures with."""
