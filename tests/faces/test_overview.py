import numpy as np
from PIL import Image

from stargan_tf.faces import overview as face_overview

DOT = (0, 255, 64)


def test_landmarks_are_drawn_on_source_and_result():
    source, aligned = Image.new("RGB", (400, 200), "red"), Image.new("RGB", (96, 96), "blue")
    entry = face_overview.entry("name.png", (source, np.array([[100.0, 50]])), (aligned, np.array([[24.0, 72]])))
    # The source is fitted into a square of 192 px and centred; the result is enlarged to one, 6 px to the right.
    assert entry.getpixel((47, 48 + 23)) == DOT
    assert entry.getpixel((198 + 47, 143)) == DOT
    assert entry.getpixel((100, 96)) == (255, 0, 0) and entry.getpixel((300, 96)) == (0, 0, 255)
    assert entry.getpixel((100, 20)) == (255, 255, 255)
    assert (np.asarray(entry)[194:] < 128).any()  # the name


def test_four_faces_stand_in_a_row():
    entry = face_overview.entry("n" * 300, *[(Image.new("RGB", (9, 9)), np.zeros((98, 2)))] * 2)
    one, four, five = (face_overview.draw([entry] * count) for count in (1, 4, 5))
    assert one.width < 1.2 * entry.width
    assert four.height == one.height and four.width > 4 * entry.width
    assert five.width == four.width and five.height > 2 * entry.height
