import numpy as np

from stargan_tf.data.images import to_image
from stargan_tf.inference import grids


def plain(*values) -> np.ndarray:
    """Images of one brightness each, [N, 8, 8, 3]."""
    return np.stack([np.full((8, 8, 3), value, np.float32) for value in values])


def centre(picture, row: int, column: int, left: int = 4) -> int:
    """The brightness in the middle of one place of the first block; images are enlarged to 64 px."""
    return picture.getpixel((left + column * 68 + 32, 24 + row * 68 + 32))[0]


def test_a_latent_grid_shows_sources_above_one_style_a_row_and_says_which(drawn_texts):
    sources, labels = plain(-1.0, 0.0), ["seed 7", "seed 8", "seed 9"]
    styles = np.stack([plain(0.2, 0.4), plain(0.6, 0.8), plain(1.0, -0.6)])
    picture = grids.latent_grid(sources, {"cat": styles}, {"cat": labels})
    left = picture.width - 2 * 68
    assert left > 4 and drawn_texts[1:] == ["sources", *labels]
    shown = [[centre(picture, row, column, left) for column in range(2)] for row in range(4)]
    assert shown == [[0, 128], [153, 178], [204, 230], [255, 51]]


def test_a_long_label_leaves_room_for_the_images(drawn_texts):
    picture = grids.latent_grid(plain(0.0), {"cat": plain(0.0)[None]}, {"cat": ["a very long name of a style file"]})
    assert drawn_texts[-1] == "a very long name of a..." and picture.width < 300


def test_a_reference_grid_has_references_on_the_left_and_an_empty_corner():
    translations = {"cat": np.stack([plain(0.2, 0.4), plain(0.6, 0.8)])}
    picture = grids.reference_grid(plain(-1.0, 0.0), {"cat": plain(-0.2, -0.4)}, translations)
    shown = [[centre(picture, row, column) for column in range(3)] for row in range(3)]
    assert shown == [[255, 0, 128], [102, 153, 178], [76, 204, 230]]


def test_each_domain_has_a_block():
    sources = plain(0.0)
    one = grids.latent_grid(sources, {"cat": plain(0.0)[None]}, {"cat": ["a"]})
    two = grids.latent_grid(sources, {"cat": plain(0.0)[None], "dog": plain(0.0)[None]}, {"cat": ["a"], "dog": ["b"]})
    assert two.height == 2 * one.height


def test_a_title_is_never_cut_off():
    narrow, wide = (grids.cycle_grid({"cat": [plain(*values)]}, False) for values in ([0.0], [0.0] * 8))
    assert 68 + 4 < narrow.width < wide.width == 8 * 68 + 4


def test_a_cycle_grid_shows_each_way_in_a_row():
    picture = grids.cycle_grid({"cat": [plain(-1.0, 0.0, 0.2, 0.4), plain(0.6, 0.8, 1.0, -0.6)]}, with_references=True)
    shown = [[centre(picture, row, column) for column in range(4)] for row in range(2)]
    assert shown == [[0, 128, 153, 178], [204, 230, 255, 51]]


def test_a_cycle_grid_says_which_seed_each_row_has(drawn_texts):
    picture = grids.cycle_grid({"cat": [plain(-1.0, 0.0, 0.2)]}, False, {"cat": ["seed 5"]})
    assert drawn_texts[-1] == "seed 5"
    assert [centre(picture, 0, column, picture.width - 3 * 68) for column in range(3)] == [0, 128, 153]


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
