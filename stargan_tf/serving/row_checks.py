"""Checks of the rows of a request inside the graph: each gives a sentence a row, "" where the row is good."""

from contextlib import AbstractContextManager

import tensorflow as tf

# A value quoted in an error is cut after so many characters.
_QUOTED_LENGTH = 60
# Bounds the numbers of a code. Those that training draws or learns are of the order of 1; squares of very large ones
# overflow in the networks, and the image is not finite then.
LARGEST_NUMBER = 1000.0


def refused_unless_some_are_good(error: tf.Tensor) -> AbstractContextManager[None]:
    """Returns a context for work that is not begun if all rows are refused for the same reason.

    Args:
        error: [N] string, "" where a row is good.
    """
    good = tf.reduce_any((error == "") | (error != error[0]))
    return tf.control_dependencies([tf.Assert(good, [error[0]])])


def check_vectors(vectors: tf.Tensor, length: int, name: str) -> tuple[tf.Tensor, tf.Tensor]:
    """Checks codes: their length, which fails the whole request if it is wrong, and the numbers of each row.

    Args:
        vectors: [N, any length] float32.
        length: the right length.
        name: what errors call them.

    Returns:
        The codes, [N, length], zeros where refused; errors, [N] string.
    """
    width = tf.shape(vectors)[1]
    sentence = tf.strings.join([f"{name} has ", tf.strings.as_string(width), f" numbers; it must have {length}"])
    with tf.control_dependencies([tf.Assert(width == length, [sentence])]):
        vectors = tf.reshape(vectors, (-1, length))
    finite = tf.reduce_all(tf.math.is_finite(vectors), 1)
    furthest = tf.gather(vectors, tf.argmax(tf.abs(vectors), 1), axis=1, batch_dims=1)
    number = tf.strings.as_string(furthest, shortest=True)
    limit = f"{LARGEST_NUMBER:g}"
    large = tf.strings.join([f"{name} holds ", number, f"; its numbers must be between -{limit} and {limit}"])
    error = first_error(
        sentence_unless(finite, f"{name} holds a number that is not finite"),
        sentence_unless(tf.abs(furthest) <= LARGEST_NUMBER, large),
    )
    return blank_refused(vectors, error), error


def check_psi(psi: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Checks truncations [N]; returns them, 0 where refused, and errors, [N] string."""
    sentence = tf.strings.join(["psi is ", tf.strings.as_string(psi, shortest=True), "; it must be between 0 and 1"])
    error = sentence_unless((psi >= 0) & (psi <= 1), sentence)  # not true of NaN either
    return blank_refused(psi, error), error


def quoted(values: tf.Tensor) -> tf.Tensor:
    """Quotes what a user sent, shortened and made valid UTF-8 without control characters."""
    clean = tf.strings.unicode_transcode(values, "UTF-8", "UTF-8", "replace", replace_control_characters=True)
    short = tf.strings.substr(clean, 0, _QUOTED_LENGTH, unit="UTF8_CHAR")
    return tf.strings.join(["'", short, tf.where(short == clean, "'", "...'")])


def sentence_unless(good: tf.Tensor, sentence: tf.Tensor | str) -> tf.Tensor:
    """Returns "" where rows are good, and the sentence where they are not."""
    return tf.where(good, "", sentence)


def first_error(*errors: tf.Tensor) -> tf.Tensor:
    """Returns each row's first error that is not ""."""
    result = errors[-1]
    for error in reversed(errors[:-1]):
        result = tf.where(error == "", result, error)
    return result


def blank_refused(values: tf.Tensor, error: tf.Tensor) -> tf.Tensor:
    """Returns zeros in the rows that are refused."""
    good = tf.reshape(error == "", (-1, *[1] * (values.shape.rank - 1)))
    return tf.where(good, values, tf.zeros_like(values))
