"""What is on disk, and how it becomes batches: records, images, augmentation, the input pipeline."""
