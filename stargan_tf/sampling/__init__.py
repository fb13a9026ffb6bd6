"""The modes of `python -m stargan_tf.sample`, and what they are made of."""
