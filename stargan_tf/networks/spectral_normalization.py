"""Spectral normalization, which some discriminators use; the paper's does not."""

import keras
import tensorflow as tf

from stargan_tf.networks.convolution import Conv2D


class SpectralConv2D(Conv2D):
    """A convolution whose kernel is divided by its largest singular value (arXiv 1802.05957).

    Every call estimates the singular value by one step of power iteration from the stored vector. The vector itself
    moves only in `advance`, which training calls once per update, so that a call has no side effect: Keras's own
    `SpectralNormalization` moves it in every call, three times an update, and in recomputed blocks once more.
    """

    def build(self, input_shape):
        super().build(input_shape)
        self.left = self.add_weight(
            name="left_singular_vector",
            shape=(self.filters,),
            initializer=keras.initializers.RandomNormal(),
            trainable=False,
            aggregation="only_first_replica",
        )

    def save_own_variables(self, store):
        super().save_own_variables(store)
        store["left_singular_vector"] = self.left

    def load_own_variables(self, store):
        super().load_own_variables(store)
        self.left.assign(store["left_singular_vector"])

    def applied_kernel(self) -> tf.Tensor:
        _, largest = self._iterate()
        return super().applied_kernel() / largest

    def advance(self) -> None:
        """Moves the stored vector by one step of power iteration."""
        left, _ = self._iterate()
        self.left.assign(left)

    def _iterate(self) -> tuple[tf.Tensor, tf.Tensor]:
        matrix = tf.reshape(super().applied_kernel(), (-1, self.filters))  # [kh * kw * in, out]
        right = tf.math.l2_normalize(tf.linalg.matvec(matrix, tf.convert_to_tensor(self.left.value)))
        left = tf.math.l2_normalize(tf.linalg.matvec(matrix, right, transpose_a=True))
        left, right = tf.stop_gradient(left), tf.stop_gradient(right)
        return left, tf.tensordot(right, tf.linalg.matvec(matrix, left), 1)
