from collections import defaultdict

import numpy as np
from PIL import Image, ImageEnhance

from stargan_tf.data.perceptual_hashes import Look, bands, look_at, near_pairs
from tests.data_prep.jobs import noise


def picture(seed):
    return noise(8, 12, seed).resize((120, 80), Image.Resampling.BICUBIC)


def distance(one, other):
    return (look_at(one).bits ^ look_at(other).bits).bit_count()


def find_pairs(looks):
    groups = defaultdict(list)
    for group, packed in (pair for look in looks for pair in bands([look]).items()):
        groups[group].append(packed)
    return {pair[:2] for group, packed in groups.items() for pair in near_pairs(group, packed)}


def test_the_hash_is_of_what_is_seen():
    image = picture(0)
    assert distance(image, image.resize((64, 48), Image.Resampling.LANCZOS)) <= 4
    assert distance(image, ImageEnhance.Brightness(image).enhance(0.9)) <= 4
    distances = [distance(picture(seed), picture(seed + 1)) for seed in range(20)]
    assert min(distances) > 10 and 24 < np.mean(distances) < 40


def test_close_looks_share_a_band_and_are_found_across_the_split_only():
    val, train, other_val, different = (
        look_at(picture(0), is_val=True, label=0, shard=3, position=70_000),
        look_at(picture(0).resize((60, 40), Image.Resampling.LANCZOS), label=1),
        look_at(picture(0), is_val=True, label=2),
        look_at(picture(1), position=9),
    )
    assert bands([val]).keys() & bands([train]).keys()
    assert find_pairs([val, train, other_val, different]) == {(val, train), (other_val, train)}
    assert not find_pairs([val, other_val]) and not find_pairs([val, different])


def test_any_four_differing_bits_leave_a_band():
    rng = np.random.default_rng(0)
    for _ in range(200):
        bits = int(rng.integers(0, 1 << 63)) * 2 + int(rng.integers(2))
        other = bits
        for bit in rng.choice(64, 4, replace=False):
            other ^= 1 << int(bit)
        one, two = (bands([Look(value, False, 0, 0, 0, bytes(12))]) for value in (bits, other))
        assert one.keys() & two.keys()


def test_colour_tells_shapes_apart():
    image = picture(2).convert("L")
    black = Image.new("L", image.size)
    red, green = Image.merge("RGB", [image, black, black]), Image.merge("RGB", [black, image, black])
    assert distance(red, green) <= 4
    assert not find_pairs([look_at(red, is_val=True), look_at(green)])
