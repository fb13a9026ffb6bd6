import numpy as np

from stargan_tf.data.images import to_image
from stargan_tf.inference import grids


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
    assert two.height == 2 * one.height


def test_a_title_is_never_cut_off():
    narrow, wide = (grids.latent_grid(plain(*values), {"cat": plain(*values)[None]}) for values in ([0.0], [0.0] * 8))
    assert 68 + 4 < narrow.width < wide.width == 8 * 68 + 4


def test_a_cycle_grid_shows_each_way_in_a_row():
    picture = grids.cycle_grid({"cat": [plain(-1.0, 0.0, 0.2, 0.4), plain(0.6, 0.8, 1.0, -0.6)]}, with_references=True)
    shown = [[centre(picture, row, column) for column in range(4)] for row in range(2)]
    assert shown == [[0, 128, 153, 178], [204, 230, 255, 51]]


def test_a_moment_of_a_video_has_sources_on_top_and_references_on_the_left():
    rows, references = {"to cat": plain(0.2, 0.4), "to dog": plain(0.6, 0.8)}, plain(-0.2, -0.4)
    left = {"to cat": to_image(references[0]), "to dog": to_image(references[1])}
    picture = grids.video_frame(plain(-1.0, 0.0), rows, left)
    # Images are enlarged to 128 px.
    shown = [
        [picture.getpixel((4 + column * 132 + 64, 24 + row * 160 + 64))[0] for column in range(3)] for row in range(3)
    ]
    assert shown == [[255, 0, 128], [102, 153, 178], [76, 204, 230]]
    assert grids.video_frame(plain(-1.0, 0.0), rows).width == 2 * 132 + 4
