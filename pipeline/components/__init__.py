"""The stages: each is a function of directories, and runs alone as `python -m pipeline.components.NAME`."""
