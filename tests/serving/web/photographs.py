"""Pictures of every orientation, profile, size, mode and format that a browser reads, as files."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from tests import icc_profiles as icc

ORIENTATION = 0x0112
ADOBE = icc.rgb_profile(icc.ADOBE_RGB, icc.gamma(2.19921875))
PROFILES = {
    "srgb": icc.rgb_profile(),
    "display_p3": icc.rgb_profile(icc.DISPLAY_P3),
    "adobe_rgb": ADOBE,
    "prophoto": icc.rgb_profile(icc.PROPHOTO, icc.gamma(1.8)),
    "gamma_22": icc.rgb_profile(icc.SRGB, icc.gamma(2.2)),
    "linear": icc.rgb_profile(icc.SRGB, icc.para(0, 1)),
    "swapped": icc.rgb_profile(icc.SWAPPED),
    "damaged": icc.rgb_profile()[:200],
}

# What `make test` compares; `make beyond` takes all.
FEW = ("turned_6.jpg", "display_p3.jpg", "transparent.png", "very_tall.png", "tiny.png", "large.jpg", "lossy.webp")


def picture(height: int, width: int, mode: str = "RGB", seed: int = 0) -> Image.Image:
    """Soft blobs, as photographs have; an alpha channel has all values."""
    random = np.random.default_rng(seed).integers(0, 256, (7, 6, len(mode)), np.uint8)
    image = Image.fromarray(random.squeeze(-1) if mode == "L" else random, mode)
    return image.resize((width, height), Image.Resampling.BICUBIC)


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


def _pictures() -> Iterator[tuple[str, Image.Image, dict]]:
    """Yields names of files, pictures, and how they are saved."""
    fine = {"quality": 95}
    for orientation in range(1, 9):
        yield f"turned_{orientation}.jpg", picture(83, 61, seed=orientation), fine | {"exif": turned(orientation)}
    for name, profile in PROFILES.items():
        yield f"{name}.jpg", picture(72, 95, seed=20), fine | {"icc_profile": profile}
        yield f"{name}.png", picture(95, 72, seed=21), {"icc_profile": profile}
    for name, size in {
        "tiny": (1, 1),
        "small": (9, 7),
        "exact": (16, 16),
        "wide": (40, 171),
        "very_wide": (30, 3000),
        "very_tall": (3000, 20),
    }.items():
        yield f"{name}.png", picture(*size, seed=30), {}
    yield "large.jpg", picture(3024, 4032, seed=31), {"quality": 90}
    for subsampling in ("4:4:4", "4:2:2", "4:2:0"):
        yield f"{subsampling.replace(':', '')}.jpg", picture(67, 91, seed=32), fine | {"subsampling": subsampling}
    yield "progressive.jpg", picture(67, 91, seed=33), fine | {"progressive": True}
    yield "cmyk.jpg", picture(67, 91, seed=33).convert("CMYK"), fine
    yield "turned_p3.jpg", picture(67, 91, seed=33), fine | {"icc_profile": PROFILES["display_p3"], "exif": turned(5)}
    yield "half.png", picture(67, 91, seed=33).convert("RGBA").point(lambda value: value // 2), {}
    yield "grey.jpg", picture(67, 91, "L", seed=34), fine
    yield "grey_gamma.jpg", picture(67, 91, "L", seed=34), fine | {"icc_profile": icc.grey_profile(icc.gamma(1.8))}
    for mode in ("L", "LA", "RGB", "RGBA"):
        yield f"{mode.lower()}.png", picture(67, 91, mode, seed=35), {}
    yield "transparent.png", picture(91, 67, "RGBA", seed=36), {}
    yield "transparent_p3.png", picture(91, 67, "RGBA", seed=37), {"icc_profile": PROFILES["display_p3"]}
    yield "transparent_adobe.png", picture(91, 67, "RGBA", seed=38), {"icc_profile": ADOBE}
    yield "palette.png", picture(67, 91, seed=39).quantize(64), {}
    yield "palette_transparent.png", picture(67, 91, seed=40).quantize(64), {"transparency": 3}
    yield "black_and_white.png", picture(67, 91, "L", seed=41).convert("1"), {}
    deep = np.asarray(picture(67, 91, "L", seed=42), np.uint16) * 257
    yield "grey_of_16_bits.png", Image.fromarray(deep), {}
    yield "turned.png", picture(67, 91, seed=43), {"exif": turned(6)}
    yield "lossy.webp", picture(67, 91, seed=44), {"quality": 90}
    yield "lossless.webp", picture(67, 91, "RGBA", seed=45), {"lossless": True, "exact": True}
    yield "turned.webp", picture(67, 91, seed=46), {"lossless": True, "exif": turned(8)}
    yield "display_p3.webp", picture(67, 91, seed=47), {"lossless": True, "icc_profile": PROFILES["display_p3"]}
    yield "plain.gif", picture(67, 91, seed=48).quantize(200), {}
    frames = [picture(67, 91, seed=49 + index).quantize(100) for index in range(3)]
    yield "animated.gif", frames[0], {"save_all": True, "append_images": frames[1:]}
    yield "plain.bmp", picture(67, 91, seed=53), {}
    yield "plain.avif", picture(67, 91, seed=54), {"quality": 95}


def write(folder: Path, names: tuple[str, ...] | None = None) -> list[Path]:
    """Writes all of them, or those of some names; returns their paths, in an order that stays."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, image, options in _pictures():
        if names is None or name in names:
            content = io.BytesIO()
            image.save(content, Image.registered_extensions()[Path(name).suffix], **options)
            paths.append(folder / name)
            paths[-1].write_bytes(content.getvalue())
    return paths
