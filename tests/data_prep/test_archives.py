"""Archives as other programs make them, whole and damaged, read without unpacking."""

import bz2
import errno
import io
import lzma
import os
import shutil
import stat
import tarfile
import zipfile
from collections import Counter

import pytest

from data_prep.sources import SourceOptions, open_source, read_image
from data_prep.sources.archives import list_members, read_member
from stargan_tf.base.errors import UserError
from tests.data_prep.jobs import run

NAMES = ("cat/a.jpg", "cat/b.jpg", "dog/c.jpg", "dog/d.jpg")


def find(place, **options):
    """The source, and its images by key."""
    source = open_source(str(place), SourceOptions(**options), str(place) + ".work")
    return source, {image.key: image for image in source.images()}


def content(name) -> bytes:
    return f"{name} ".encode() * 100


def make_zip(file, names=NAMES, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name in names:
            archive.writestr(name, content(name))
    return file


def add_to_tar(archive, name, kind=tarfile.REGTYPE, target="", data=b""):
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size = kind, target, len(data)
    archive.addfile(member, io.BytesIO(data))


def make_tar(file, *more):
    """A tar of `NAMES` and of others, each a name, its kind, and what it links to."""
    with tarfile.open(file, "w") as archive:
        for name in NAMES:
            add_to_tar(archive, name, data=content(name))
        for entry in more:
            add_to_tar(archive, *entry)
    return file


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_every_method_that_python_writes_is_read_and_its_checksum_compared(tmp_path, method):
    archive = make_zip(tmp_path / "i.zip", compression=method)
    _, images = find(archive)
    assert images.keys() == set(NAMES)
    limit = len(content(NAMES[0]))
    for name, image in images.items():
        assert read_image(image.location, limit) == content(name)
        with pytest.raises(OSError, match=f"more than {limit - 1} bytes"):
            read_image(image.location, limit - 1)
    # Any one byte of the member, header or content, that is not the one it was.
    location, good = images["dog/c.jpg"].location, archive.read_bytes()
    start = location.offset + 30 + len("dog/c.jpg")
    for position in (location.offset, *range(start, start + location.size, 7)):
        flipped = bytearray(good)
        flipped[position] ^= 16
        archive.write_bytes(flipped)
        try:
            assert read_image(location, limit) == content("dog/c.jpg")  # Some bits of LZMA's header mean nothing.
        except OSError:
            continue
        assert method == zipfile.ZIP_LZMA


def test_a_flipped_byte_of_a_stored_file_is_noticed(tmp_path):
    archive = make_zip(tmp_path / "i.zip", compression=zipfile.ZIP_STORED)
    damaged = archive.read_bytes().replace(content("dog/c.jpg"), content("dog/c.jpg").replace(b"g", b"G", 1))
    archive.write_bytes(damaged)
    with pytest.raises(OSError, match="damaged in the archive: its checksum is another"):
        read_image(find(archive)[1]["dog/c.jpg"].location, 10_000)


def rewrite(archive, name, offset_in_header, value):
    """Changes two bytes of a member's headers: the local one, and that of the archive's directory."""
    data = bytearray(archive.read_bytes())
    local = data.index(b"PK\x03\x04", max(0, data.index(name.encode()) - 30))
    central = data.rindex(b"PK\x01\x02", 0, data.rindex(name.encode()))
    for start, shift in ((local, 0), (central, 2)):
        data[start + offset_in_header + shift : start + offset_in_header + shift + 2] = value.to_bytes(2, "little")
    archive.write_bytes(data)


FLAGS, METHOD = 6, 8


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        (METHOD, 9, "compressed by Deflate64, which is not read here; unpack the archive"),
        (METHOD, 93, "compressed by Zstandard"),
        (METHOD, 77, "compressed by method 77"),
        (FLAGS, 1, "encrypted; unpack the archive with its password"),
    ],
)
def test_a_member_that_cannot_be_read_is_refused_alone(tmp_path, field, value, reason):
    archive = make_zip(tmp_path / "i.zip")
    rewrite(archive, "dog/c.jpg", field, value)
    _, images = find(archive)
    assert images.keys() == set(NAMES)
    for name, image in images.items():
        if name != "dog/c.jpg":
            assert read_image(image.location, 10_000) == content(name)
    with pytest.raises(OSError, match=reason):
        read_image(images["dog/c.jpg"].location, 10_000)
    for name in NAMES:
        rewrite(archive, name, field, value)
    with pytest.raises(UserError, match=f"i.zip cannot be read as an archive: every file in it is {reason}"):
        find(archive)


def test_a_member_without_a_header_is_refused_alone(tmp_path):
    archive = make_zip(tmp_path / "i.zip", compression=zipfile.ZIP_STORED)
    damaged = bytearray(archive.read_bytes())
    damaged[:4] = b"PK??"
    archive.write_bytes(damaged)
    _, images = find(archive)
    assert read_image(images["dog/c.jpg"].location, 10_000) == content("dog/c.jpg")
    with pytest.raises(OSError, match="a file in it has no header"):
        read_image(images["cat/a.jpg"].location, 10_000)


def test_names_in_utf_8_are_read_whether_a_flag_says_so_or_not(tmp_path):
    """macOS sets none."""
    names = ("katze/ä.jpg", "dög/b.jpg")
    archive = make_zip(tmp_path / "i.zip", names)
    assert find(archive)[1].keys() == set(names)
    for name in names:
        rewrite(archive, name, FLAGS, 0)
    source, images = find(archive)
    assert source.domains == ("dög", "katze") and images.keys() == set(names)
    archive.write_bytes(archive.read_bytes().replace("ö".encode(), b"\x94\x94"))  # as MS-DOS writes it
    assert find(archive)[0].domains == ("döög", "katze")


def test_a_zip_that_ends_early_is_told(tmp_path):
    archive = make_zip(tmp_path / "i.zip")
    archive.write_bytes(archive.read_bytes()[:300])
    with pytest.raises(UserError, match="it begins as one, so it is damaged or its end is missing"):
        find(archive)


def test_a_zip_of_a_version_to_come_is_a_sentence(tmp_path):
    archive = make_zip(tmp_path / "i.zip")
    rewrite(archive, "dog/c.jpg", 4, 99)
    with pytest.raises(UserError, match=r"i.zip cannot be read as an archive: zip file version 9.9"):
        find(archive)


def test_names_that_are_no_utf_8_though_they_should_be_are_a_sentence(tmp_path):
    archive = make_zip(tmp_path / "i.zip", ("cat/ä.jpg", "dog/b.jpg"))
    archive.write_bytes(archive.read_bytes().replace("ä".encode(), b"\xff\xff"))
    with pytest.raises(UserError, match=r"i.zip cannot be read as an archive: .*utf-8"):
        find(archive)


def test_links_in_a_tar_are_the_files_that_they_lead_to(tmp_path):
    archive = make_tar(
        tmp_path / "i.tar",
        ("dog/hard.jpg", tarfile.LNKTYPE, "cat/a.jpg"),
        ("dog/soft.jpg", tarfile.SYMTYPE, "../cat/b.jpg"),
        ("dog/chain.jpg", tarfile.SYMTYPE, "hard.jpg"),
        ("dog/early.jpg", tarfile.SYMTYPE, "late.jpg"),
        ("dog/late.jpg", tarfile.SYMTYPE, "d.jpg"),
        ("dog/nowhere.jpg", tarfile.SYMTYPE, "none.jpg"),
        ("dog/out.jpg", tarfile.SYMTYPE, "/etc/passwd"),
        ("dog/circle.jpg", tarfile.SYMTYPE, "circle.jpg"),
        ("dog/folder", tarfile.SYMTYPE, "../cat"),
        ("dog/pipe.jpg", tarfile.FIFOTYPE),
        ("../dog/away.jpg", tarfile.REGTYPE),
    )
    source, images = find(archive)
    linked = {"hard": "cat/a.jpg", "soft": "cat/b.jpg", "chain": "cat/a.jpg", "early": "dog/d.jpg", "late": "dog/d.jpg"}
    expected = {name: name for name in NAMES} | {f"dog/{name}.jpg": target for name, target in linked.items()}
    assert {key: read_image(image.location, 10_000) for key, image in images.items()} == {
        key: content(target) for key, target in expected.items()
    }
    assert source.ignored == {
        "links to what is not in the archive": 3,
        "links to folders": 1,
        "devices and pipes": 1,
        "files whose names lead out of the archive": 1,
    }


def test_links_in_a_zip_are_the_files_that_they_lead_to(tmp_path):
    archive = make_zip(tmp_path / "i.zip")
    with zipfile.ZipFile(archive, "a") as opened:
        link = zipfile.ZipInfo("dog/link.jpg")
        link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        opened.writestr(link, "../cat/a.jpg")
        long = zipfile.ZipInfo("dog/long.jpg")
        long.create_system, long.external_attr = 3, link.external_attr
        opened.writestr(long, "x" * 5000)
    source, images = find(archive)
    assert read_image(images["dog/link.jpg"].location, 10_000) == content("cat/a.jpg")
    assert source.ignored == {"links to what is not in the archive": 1}


def test_of_two_files_of_one_name_the_last_counts_and_the_first_is_counted(tmp_path):
    archive = make_tar(tmp_path / "i.tar")
    with tarfile.open(archive, "a") as opened:
        add_to_tar(opened, "./cat/a.jpg", data=b"newer")
    source, images = find(archive)
    assert images.keys() == set(NAMES) and read_image(images["cat/a.jpg"].location, 10) == b"newer"
    assert source.ignored == {"files that a later one of the same name replaces": 1}


def test_what_macos_adds_to_an_archive_is_no_domain(tmp_path):
    added = ("__MACOSX/cat/._a.jpg", "__MACOSX/dog/c.jpg", ".DS_Store", "cat/.DS_Store", ".git/x/y.jpg")
    for source, images in (
        find(make_zip(tmp_path / "i.zip", (*NAMES, *added))),
        find(make_tar(tmp_path / "i.tar", *((name, tarfile.REGTYPE) for name in added))),
    ):
        assert source.domains == ("cat", "dog") and images.keys() == set(NAMES)
        assert source.ignored == {"files in folders called __MACOSX": 2, "hidden files": 3}


def test_backslashes_of_programs_on_windows_separate_folders(tmp_path):
    with zipfile.ZipFile(tmp_path / "i.zip", "w") as archive:
        for name in ("cat\\", *(name.replace("/", "\\") for name in NAMES)):
            member = zipfile.ZipInfo(name)
            member.filename, member.create_system = name, 0  # ZipInfo itself changes backslashes on Windows only.
            archive.writestr(member, content(name))
    source, images = find(tmp_path / "i.zip")
    assert source.domains == ("cat", "dog") and images.keys() == set(NAMES) and not source.ignored


@pytest.mark.parametrize(
    ("cut", "message"),
    [(512 * 6 + 100, "the header at byte 3[0-9]* is damaged, or cut"), (512 * 7 + 100, "unexpected end of data")],
)
def test_a_tar_that_ends_early_is_refused(tmp_path, cut, message):
    """Each file has a header of 512 bytes and 1,024 of content."""
    archive = make_tar(tmp_path / "i.tar")
    archive.write_bytes(archive.read_bytes()[:cut])
    with pytest.raises(UserError, match=f"i.tar cannot be read as an archive: {message}"):
        find(archive)


def test_a_tar_that_ends_between_two_files_is_told(tmp_path):
    archive = make_tar(tmp_path / "i.tar")
    with tarfile.open(archive) as opened:
        last = opened.getmembers()[-1]
    os.truncate(archive, last.offset)
    source, images = find(archive)
    assert images.keys() == set(NAMES) - {last.name}
    assert source.ignored == {"archives without the mark of their end, where files may be missing": 1}


def test_a_damaged_header_in_a_tar_is_not_taken_for_its_end(tmp_path):
    archive = make_tar(tmp_path / "i.tar")
    archive.write_bytes(archive.read_bytes().replace(b"dog/d.jpg\0", b"dog/D.jpg\0"))
    with pytest.raises(UserError, match=r"i.tar cannot be read as an archive: the header at byte .* is damaged"):
        find(archive)


def test_an_archive_behind_another_is_counted(tmp_path):
    archive = make_tar(tmp_path / "i.tar")
    archive.write_bytes(archive.read_bytes() * 2)
    source, images = find(archive)
    assert images.keys() == set(NAMES)
    assert source.ignored == {"archives behind the end of the first (`tar --ignore-zeros` unpacks them, too)": 1}


def test_a_full_disk_is_no_fault_of_the_archive(tmp_path, monkeypatch, capsys):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "i.tar.bz2").write_bytes(bz2.compress(make_tar(tmp_path / "plain.tar").read_bytes()))
    monkeypatch.setattr(shutil, "copyfileobj", full)
    assert run(tmp_path / "i.tar.bz2", tmp_path / "o") == 2
    assert capsys.readouterr().err.endswith(f"'{tmp_path / 'o'}' cannot be written: no space left on the device\n")


@pytest.mark.parametrize("compress", [bz2.compress, lzma.compress])
def test_members_are_listed_and_read_one_by_one(tmp_path, compress):
    """What sources of other kinds read archives by."""
    file = tmp_path / ("i.tar.bz2" if compress is bz2.compress else "i.tar.xz")
    file.write_bytes(compress(make_tar(tmp_path / "plain.tar").read_bytes()))
    ignored = Counter()
    members = list_members(str(file), str(tmp_path / "work"), ignored)
    assert {name: read_member(location) for name, location in members.items()} == {n: content(n) for n in NAMES}
    assert not ignored
