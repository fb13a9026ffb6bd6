"""From a folder of images to a served model: stages that can run one by one, and the pipeline made of them."""
