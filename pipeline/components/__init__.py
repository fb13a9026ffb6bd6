"""The stages: each a function of directories, runnable alone as `python -m pipeline.components.NAME`."""
