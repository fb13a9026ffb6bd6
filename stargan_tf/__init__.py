"""StarGAN v2 (arXiv 1912.01865) for TensorFlow 2 and Keras 3: many domains, endless styles, one generator."""

__version__ = "0.1.0"
