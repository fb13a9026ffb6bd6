"""A page to try a model in the browser: source, domain, styles drawn or of a reference, and mixtures of them."""
