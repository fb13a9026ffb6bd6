"""Why bytes are not read as an image: what they are instead, or which kind of image, and what is wrong with it."""

import io
import re
from typing import Literal

from PIL import Image, TiffImagePlugin

Kind = Literal["empty", "not_an_image", "unsupported", "damaged"]

# How files begin: the offset, the bytes there, and what they tell. The first group is read (by Pillow's name of the
# format), the second consists of images that are not, the third is no image at all.
_READ = (
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (0, b"GIF87a", "GIF"),
    (0, b"GIF89a", "GIF"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (0, b"II+\0", "TIFF"),
    (0, b"MM\0+", "TIFF"),
    (8, b"WEBP", "WEBP"),
    (4, b"ftypavif", "AVIF"),
    (4, b"ftypavis", "AVIF"),
    *((4, b"ftyp" + brand, "HEIF") for brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")),
    (0, b"BM", "BMP"),
)
_OTHER_IMAGES = (
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\0\0\0\x0cJXL ", "JPEG XL"),
    (0, b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"\xff\xd8", "JPEG of an unknown kind"),
    (0, b"8BPS", "Photoshop"),
    (0, b"gimp xcf", "GIMP"),
    (0, b"\0\0\1\0", "icon (ICO)"),
    (0, b"v/1\1", "OpenEXR"),
    (0, b"#?RADIANCE", "Radiance HDR"),
    (0, b"DDS ", "DirectDraw (DDS)"),
    (0, b"qoif", "QOI"),
    (0, b"\x01\xda", "SGI"),
    (0, b"SIMPLE  =", "FITS"),
    (128, b"DICM", "DICOM"),
    (4, b"ftypcrx ", "camera's raw (CR3)"),
    (0, b"FUJIFILMCCD-RAW", "camera's raw (RAF)"),
    (0, b"IIU\0", "camera's raw (RW2)"),
    (0, b"IIRO", "camera's raw (ORF)"),
    *((0, b"P%d%c" % (number, space), "Netpbm") for number in range(1, 8) for space in b"\n\r\t "),
)
_NO_IMAGES = (
    (0, b"version https://git-lfs.github.com/spec/", "a pointer of Git LFS; `git lfs pull` fetches the image itself"),
    (0, b"\0\5\x16\x07", "what macOS keeps beside a file (AppleDouble); the image is in the file without ._"),
    (4, b"ftypqt", "a video (QuickTime)"),
    (4, b"ftypM4A", "a sound file (M4A)"),
    (4, b"ftyp", "a video (MP4)"),
    *((4, box, "a video (QuickTime)") for box in (b"moov", b"mdat", b"wide")),
    (0, b"\x1aE\xdf\xa3", "a video (Matroska or WebM)"),
    (8, b"AVI ", "a video (AVI)"),
    (0, b"FLV\1", "a video (Flash)"),
    (0, b"\0\0\1\xba", "a video (MPEG)"),
    (0, b"\0\0\1\xb3", "a video (MPEG)"),
    (0, b"0&\xb2u\x8ef\xcf\x11", "a video (Windows Media)"),
    (0, b"OggS", "a sound or video file (Ogg)"),
    (8, b"WAVE", "a sound file (WAV)"),
    (0, b"ID3", "a sound file (MP3)"),
    (0, b"%PDF-", "a PDF document"),
    (0, b"%!PS", "a PostScript document"),
    (0, b"\xc5\xd0\xd3\xc6", "a PostScript document"),
    (0, b"PK\3\4", "a ZIP archive"),
    (0, b"Rar!", "a RAR archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (0, b"\x1f\x8b", "a file compressed by gzip"),
    (0, b"BZh", "a file compressed by bzip2"),
    (0, b"\xfd7zXZ\0", "a file compressed by xz"),
    (257, b"ustar", "a tar archive"),
    (0, b"\x93NUMPY", "a NumPy array"),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (0, b"SQLite format 3\0", "an SQLite database"),
    (0, b"\x7fELF", "a program"),
    (0, b"MZ", "a program"),
)
_HTML = re.compile(rb"\s*(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL)
_SVG = re.compile(rb"\s*<(\?xml\b.*?)?(!doctype\s+svg|svg)\b", re.IGNORECASE | re.DOTALL)
_HEAD_BYTES = 1024

# What Pillow says of layouts of pixels that it does not know, in files that are whole.
_UNSUPPORTED = re.compile(
    r"unknown|unsupported|not supported|not implemented|cannot handle|unrecognized", re.IGNORECASE
)

_PHOTOMETRIC = {
    0: "grey",
    1: "grey",
    2: "RGB",
    3: "palette",
    4: "mask",
    5: "inks",
    6: "YCbCr",
    8: "CIELab",
    9: "ICCLab",
}
_SAMPLE_FORMAT = {2: "signed", 3: "floating-point", 5: "complex", 6: "complex"}


class UnreadableImage(ValueError):
    """Bytes that cannot be decoded as an image; the message is the reason.

    Args:
        message: what they are, or what is wrong with them.
        kind: they are none ("empty"), "not_an_image", an image of an "unsupported" kind, or a "damaged" one.
    """

    def __init__(self, message: str, kind: Kind = "damaged"):
        super().__init__(message)
        self.kind = kind


def signature(data: bytes) -> str | None:
    """Tells by its first bytes which of the formats that are read an image is of; by Pillow's name, None for others."""
    name = _match(data, _READ)
    # Two letters may begin any text: the length of the header, of which the upper bytes are zeros, must be there too.
    return None if name == "BMP" and data[15:18] != b"\0\0\0" else name


def describe(data: bytes) -> str:
    """Tells what a file is by its first bytes: "an image (PNG)", "an HTML page", "text" ..."""
    if name := signature(data) or _match(data, _OTHER_IMAGES):
        return f"an image ({name})"
    return _describe(data) if data else "an empty file"


def explain(data: bytes, error: Exception) -> UnreadableImage:
    """Tells why an image could not be opened.

    Args:
        data: the whole file.
        error: what Pillow raised.

    Returns:
        The error to raise.
    """
    if not data:
        return UnreadableImage("empty file", "empty")
    if name := signature(data):
        return _explain_image(data, name, error)
    if name := _match(data, _OTHER_IMAGES):
        return UnreadableImage(f"its format, {name}, is not read; convert it to PNG", "unsupported")
    return UnreadableImage(f"not an image but {_describe(data)}", "not_an_image")


def _match(data: bytes, table: tuple[tuple[int, bytes, str], ...]) -> str | None:
    return next((name for offset, begin, name in table if data.startswith(begin, offset)), None)


def _describe(data: bytes) -> str:
    """What bytes are that are no image of any format that is known here."""
    if name := _match(data, _NO_IMAGES):
        return name
    if not data.strip(b"\0"):
        return "zeros: nothing was ever written to the file, or it was lost"
    head = data[:_HEAD_BYTES]
    if _HTML.match(head):
        return "an HTML page"
    if _SVG.match(head):
        return "a drawing (SVG)"
    if head.lstrip().startswith(b"<?xml"):
        return "an XML document"
    try:
        text = head.decode("utf-8", "strict" if len(data) <= _HEAD_BYTES else "ignore")
    except ValueError:
        return "bytes of no kind that is known"
    return "text" if text.isprintable() or not set(text) & _CONTROLS else "bytes of no kind that is known"


_CONTROLS = frozenset(map(chr, range(32))) - set("\t\n\r\f")


def _explain_image(data: bytes, name: str, error: Exception) -> UnreadableImage:
    """What is wrong with an image of a format that is read."""
    if name not in Image.OPEN:
        package = "; `pip install 'stargan-tf[heif]'` brings what reads it" if name == "HEIF" else ""
        return UnreadableImage(f"its format, {name}, is not read here{package}", "unsupported")
    if isinstance(error, Image.UnidentifiedImageError):
        # Pillow asks one format after the other and keeps what they say to itself.
        try:
            Image.OPEN[name][0](io.BytesIO(data), "")
        except Exception as own:  # as Pillow's formats raise: OSError, SyntaxError, KeyError, struct.error ...
            error = own
    if isinstance(error, Image.DecompressionBombError):
        return UnreadableImage(f"{_with_article(name)} image of too many pixels: {error}", "unsupported")
    return explain_known(name, error, tiff_layout(data) if name == "TIFF" else "")


def explain_known(name: str, error: Exception, layout: str = "") -> UnreadableImage:
    """Tells why an image of a format that is read could not be decoded.

    Args:
        name: of the format, as Pillow has it.
        error: what was raised.
        layout: of its pixels, as `tiff_layout` describes it.

    Returns:
        The error to raise.
    """
    reason = str(error) or type(error).__name__
    if isinstance(error, Image.UnidentifiedImageError):
        reason = "its header means nothing"
    if isinstance(error, KeyError):
        reason = f"unknown value {reason}"
    kind: Kind = "unsupported" if _UNSUPPORTED.search(reason) else "damaged"
    pixels = f" of {layout}" if layout else ""
    verb = "cannot be read" if kind == "unsupported" else "is damaged"
    return UnreadableImage(f"{_with_article(name)} image{pixels} that {verb}: {reason}", kind)


def _with_article(name: str) -> str:
    return f"an {name}" if name in ("AVIF", "MPO") else f"a {name}"


def tiff_layout(data: bytes) -> str:
    """Describes the pixels of a TIFF image, like "16-bit CIELab pixels"; "" where its directory cannot be read."""
    try:
        file = io.BytesIO(data)
        header = file.read(8)
        if 43 in header[2:4]:  # BigTIFF
            header += file.read(8)
        directory = TiffImagePlugin.ImageFileDirectory_v2(header)
        file.seek(directory.next)
        directory.load(file)
        bits = max(directory.get(TiffImagePlugin.BITSPERSAMPLE, (1,)))
        photometric = _PHOTOMETRIC.get(directory.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION, -1), "unknown")
        sample = _SAMPLE_FORMAT.get(max(directory.get(TiffImagePlugin.SAMPLEFORMAT, (1,))))
        channels = directory.get(TiffImagePlugin.SAMPLESPERPIXEL, 1)
    except Exception:  # damaged in any way
        return ""
    return " ".join(filter(None, (f"{channels} x {bits}-bit", sample, photometric, "pixels")))
