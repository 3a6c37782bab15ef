"""Sizes from the first bytes of pictures: files made by hand, of a few bytes each."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.core.picture import LARGEST, Picture, may_be_lead
from mailer.core.picture_size import kind_of, size_of
from tests.pictures import exif, gif, jpeg, png, segment, vp8, vp8l, vp8x

JPEG, PNG, GIF, WEBP = "image/jpeg", "image/png", "image/gif", "image/webp"
PICTURES = {
    "a JPEG": (jpeg(1200, 800), JPEG, (1200, 800)),
    "a progressive JPEG": (jpeg(1200, 800, frame=0xC2), JPEG, (1200, 800)),
    "a JPEG with a profile and tables before its frame": (
        jpeg(1200, 800, segment(0xE2, b"ICC_PROFILE\0" + bytes(3000)), segment(0xDB, bytes(65)), segment(0xC4, b"\0")),
        JPEG,
        (1200, 800),
    ),
    "a JPEG with fill bytes": (jpeg(1200, 800, b"\xff\xff\xff"), JPEG, (1200, 800)),
    "a JPEG with a marker that stands alone": (jpeg(1200, 800, b"\xff\x01"), JPEG, (1200, 800)),
    "a JPEG held upright": (jpeg(1200, 800, exif(1)), JPEG, (1200, 800)),
    "a JPEG upside down": (jpeg(1200, 800, exif(3)), JPEG, (1200, 800)),
    "a JPEG held sideways": (jpeg(1200, 800, exif(6)), JPEG, (800, 1200)),
    "a JPEG held sideways, by a Motorola": (jpeg(1200, 800, exif(8, ">")), JPEG, (800, 1200)),
    "a JPEG with an orientation that isn't": (jpeg(1200, 800, exif(9)), JPEG, (1200, 800)),
    "a JPEG whose Exif breaks off": (
        jpeg(1200, 800, segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0\xff\xff")),
        JPEG,
        (1200, 800),
    ),
    "a JPEG without a frame": (jpeg(1200, 800)[:-7], JPEG, (0, 0)),
    "a JPEG that begins with its scan": (jpeg(1200, 800, segment(0xDA, b"")), JPEG, (0, 0)),
    "a JPEG with a segment of no length": (jpeg(1200, 800, b"\xff\xe0\0\0"), JPEG, (0, 0)),
    "a JPEG with rubbish between segments": (jpeg(1200, 800, b"rubbish"), JPEG, (0, 0)),
    "a JPEG that tells its height later": (jpeg(1200, 0), JPEG, (0, 0)),
    "a PNG": (png(1072, 560), PNG, (1072, 560)),
    "a PNG that breaks off": (png(1072, 560)[:23], PNG, (0, 0)),
    "a PNG without its header": (png(1072, 560).replace(b"IHDR", b"IDAT"), PNG, (0, 0)),
    "a GIF": (gif(640, 480), GIF, (640, 480)),
    "an old GIF": (gif(640, 480).replace(b"89a", b"87a"), GIF, (640, 480)),
    "a GIF that breaks off": (gif(640, 480)[:9], GIF, (0, 0)),
    "a WebP": (vp8(1200, 800), WEBP, (1200, 800)),
    "a WebP that begins in the middle": (vp8(1200, 800).replace(b"\x9d\x01\x2a", b"\0\0\0"), WEBP, (0, 0)),
    "a lossless WebP": (vp8l(1200, 800), WEBP, (1200, 800)),
    "a WebP with features": (vp8x(1200, 800), WEBP, (1200, 800)),
    "a WebP of another kind": (vp8x(1200, 800).replace(b"VP8X", b"VP9 "), WEBP, (0, 0)),
    "a WebP that breaks off": (vp8x(1200, 800)[:29], WEBP, (0, 0)),
    "a sound in RIFF": (b"RIFF\0\0\0\0WAVEfmt " + bytes(20), "", (0, 0)),
    "a web page": (b"<!doctype html><img width=600 height=400>", "", (0, 0)),
    "nothing": (b"", "", (0, 0)),
    "a PNG of no height": (png(1200, 0), PNG, (0, 0)),
    "the largest": (png(LARGEST, LARGEST), PNG, (LARGEST, LARGEST)),
    "a bomb": (png(60_000, 60_000), PNG, (0, 0)),
    "a wide bomb": (png(LARGEST + 1, 10), PNG, (0, 0)),
    "a bomb in JPEG": (jpeg(60_000, 60_000), JPEG, (0, 0)),
    "a bomb in WebP": (vp8x(60_000, 60_000), WEBP, (0, 0)),
}


@pytest.mark.parametrize("name", PICTURES)
def test_size_and_kind_are_read_from_the_first_bytes(name):
    data, kind, size = PICTURES[name]
    assert (kind_of(data), size_of(data)) == (kind, size)
    assert (kind_of(data + bytes(100)), size_of(data)) == (kind, size)


STARTS = [data[:length] for data, *_ in PICTURES.values() for length in (4, 12, 16, 40)]


@given(st.sampled_from(STARTS), st.binary(max_size=300))
def test_any_bytes_have_a_size_or_none_and_never_fail(start, rest):
    width, height = size_of(start + rest)
    assert (width == height == 0) or (0 < width <= LARGEST and 0 < height <= LARGEST)


@given(st.sampled_from([data for data, *_ in PICTURES.values()]), st.integers(0, 100))
def test_a_picture_that_breaks_off_has_its_whole_size_or_none(data, length):
    assert size_of(data[:length]) in ((0, 0), size_of(data))


@pytest.mark.parametrize("tail", [b"\xff" * 65_534, (b"\xff\xe0\0\x02" * 16_383), struct.pack(">H", 0xFFD0) * 32_767])
def test_what_never_comes_to_its_frame_is_read_once(tail):
    assert size_of(b"\xff\xd8" + tail) == (0, 0)


@pytest.mark.parametrize(
    ("picture", "wanted"),
    [
        (Picture("https://a.example/a"), True),
        (Picture("https://a.example/a", media_type="image/jpeg"), True),
        (Picture("https://a.example/a", width=700), True),
        (Picture("https://a.example/a", width=700, height=400), False),
        (Picture("https://a.example/a", media_type="image/webp"), False),
        (Picture("https://a.example/a", media_type="image/svg+xml"), False),
    ],
)
def test_only_a_picture_that_could_be_shown_lacks_its_size(picture, wanted):
    assert may_be_lead(picture) is wanted
