"""Translating any number of images by an exported model, as a Beam job beside the one that prepares them."""
