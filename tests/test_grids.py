import numpy as np

from stargan_tf import grids


def plain(*values) -> np.ndarray:
    """Images of one brightness each, [N, 8, 8, 3]."""
    return np.stack([np.full((8, 8, 3), value, np.float32) for value in values])


def centre(picture, row: int, column: int) -> int:
    """The brightness in the middle of one place of the first block; images are enlarged to 64 px."""
    return picture.getpixel((4 + column * 68 + 32, 24 + row * 68 + 32))[0]


def test_a_latent_grid_shows_sources_above_one_style_a_row():
    sources = plain(-1.0, 0.0)
    picture = grids.latent_grid(sources, {"cat": np.stack([plain(0.2, 0.4), plain(0.6, 0.8), plain(1.0, -0.6)])})
    shown = [[centre(picture, row, column) for column in range(2)] for row in range(4)]
    assert shown == [[0, 128], [153, 178], [204, 230], [255, 51]]


def test_a_reference_grid_has_references_on_the_left_and_an_empty_corner():
    translations = {"cat": np.stack([plain(0.2, 0.4), plain(0.6, 0.8)])}
    picture = grids.reference_grid(plain(-1.0, 0.0), {"cat": plain(-0.2, -0.4)}, translations)
    shown = [[centre(picture, row, column) for column in range(3)] for row in range(3)]
    assert shown == [[255, 0, 128], [102, 153, 178], [76, 204, 230]]


def test_each_domain_has_a_block():
    sources = plain(0.0)
    one = grids.latent_grid(sources, {"cat": plain(0.0)[None]})
    two = grids.latent_grid(sources, {"cat": plain(0.0)[None], "dog": plain(0.0)[None]})
    assert two.height == 2 * one.height and two.width == one.width
