"""Encoded images to arrays inside a TensorFlow graph: `images.decode_images`, and a file for each format."""
