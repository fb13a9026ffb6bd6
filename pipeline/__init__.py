"""From a folder of images to a model in production: stages that can be run one by one, and the pipeline of them."""
