"""From images to a data directory: sources of images, and the Beam pipeline that writes TFRecords."""
