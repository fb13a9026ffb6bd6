"""Translating with trained networks: styles, grids, interpolation, video."""
