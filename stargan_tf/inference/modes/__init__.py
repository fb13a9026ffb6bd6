"""The modes of `stargan_tf.sample`: their flags, and what they write."""
