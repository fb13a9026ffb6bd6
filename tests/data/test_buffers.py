import numpy as np
import tensorflow as tf

from stargan_tf.data.buffers import BufferPool


def address(array):
    return array.__array_interface__["data"][0]


def test_memory_is_used_again_when_it_is_free():
    pool = BufferPool((2, 3))
    first, second = pool.take(), pool.take()
    assert first.shape == (2, 3) and first.dtype == np.uint8
    addresses = {address(first), address(second)}
    assert len(addresses) == 2 and all(value % 64 == 0 for value in addresses)
    freed = address(first)
    del first
    assert address(pool.take()) == freed


def test_views_and_tensors_keep_their_memory():
    """Whatever they show must not change while somebody looks at it."""
    pool = BufferPool((64, 64))
    array = pool.take()
    array[:] = 1
    view = array[3:][:, 2:].reshape(-1)
    tensor = tf.numpy_function(lambda: _filled(pool, 2), [], tf.uint8)
    sliced = tensor[:10]
    del array
    for value in range(3, 30):
        tf.numpy_function(lambda: _filled(pool, value), [], tf.uint8)  # noqa: B023
    assert (view == 1).all() and (tensor.numpy() == 2).all() and (sliced.numpy() == 2).all()


def _filled(pool, value):
    array = pool.take()
    array[:] = value
    return array
