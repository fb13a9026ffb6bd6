"""Metrics of translations, in NumPy: scipy and scikit-learn, which the tests compare them with, are no dependencies."""
