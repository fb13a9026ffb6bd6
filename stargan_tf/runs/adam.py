"""Adam as published: with the L2 term in the gradient (Keras decouples it) and epsilon after bias correction."""

import uuid

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="stargan_tf")
class Adam(keras.optimizers.Optimizer):
    """Adam (arXiv 1412.6980, algorithm 1) with an L2 term in the gradient.

    It differs from `keras.optimizers.Adam` in two ways, both of which the reference numbers need: epsilon is added to
    the root of the *bias-corrected* second moment, and `l2 * weight` is added to the gradient *before* the moments.
    With `beta_1` 0, as published, the first moment is the gradient, which no later step needs: it is not kept.

    Args:
        learning_rate: step size.
        beta_1: decay of the first moment.
        beta_2: decay of the second moment.
        epsilon: added to the bias-corrected root.
        l2: weight of the L2 term.
    """

    def __init__(
        self,
        learning_rate: float = 1e-4,
        beta_1: float = 0.0,
        beta_2: float = 0.99,
        epsilon: float = 1e-8,
        l2: float = 1e-4,
        name: str = "adam",
        **kwargs,
    ):
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.l2 = l2

    def build(self, variables):
        """Creates the moments of every variable; `first_moments` stays empty with `beta_1` 0."""
        if self.built:
            return
        super().build(variables)
        self.first_moments = self.add_optimizer_variables(variables, "first_moment") if self.beta_1 else []
        self.second_moments = self.add_optimizer_variables(variables, "second_moment")

    def update_step(self, gradient, variable, learning_rate):
        """Updates one variable."""
        index = self._get_variable_index(variable)
        # Delay until this gradient exists, or all products are alive at once, which is the size of the network.
        with tf.control_dependencies([gradient]):
            decay = self.l2 * tf.convert_to_tensor(variable)
        gradient = gradient + decay
        first_moment = self.first_moments[index].value.handle if self.first_moments else _passing(gradient)
        step = tf.cast(self.iterations + 1, variable.dtype)
        beta_2_power = tf.pow(tf.constant(self.beta_2, variable.dtype), step)
        # The fused operation adds epsilon before the bias is corrected, so epsilon is scaled by the same correction.
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=first_moment,
            v=self.second_moments[index].value.handle,
            beta1_power=tf.pow(tf.constant(self.beta_1, variable.dtype), step),
            beta2_power=beta_2_power,
            lr=tf.cast(learning_rate, variable.dtype),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon * tf.sqrt(1.0 - beta_2_power),
            grad=gradient,
        )
        if not self.first_moments:
            tf.raw_ops.DestroyResourceOp(resource=first_moment)

    def get_config(self):
        return super().get_config() | {
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "l2": self.l2,
        }


def _passing(value: tf.Tensor) -> tf.Tensor:
    """Returns the handle of a variable that lives within a step only: the fused operation takes no tensor there.

    Made of single operations it would read and write memory more than twice as often, and updates take what that takes.
    """
    handle = tf.raw_ops.VarHandleOp(dtype=value.dtype, shape=value.shape, shared_name=f"passing_{uuid.uuid4().hex}")
    tf.raw_ops.AssignVariableOp(resource=handle, value=value)
    return handle
