"""Strangers' pictures: small and harmless, or none."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image

from calls.contacts.pictures import SIZE, NoPicture, made_small

from .hosts import picture

pytestmark = pytest.mark.engineless

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script><rect width="9" height="9"/></svg>'


def read(content: bytes) -> Image.Image:
    image = Image.open(BytesIO(content))
    image.load()
    return image


def colour_at(content: bytes, x: int, y: int) -> tuple[int, int, int]:
    red, green, blue = read(content).convert("RGB").getpixel((x, y))  # type: ignore[misc]
    return red, green, blue


def png(width: int, height: int, data: bytes, more: bytes = b"") -> bytes:
    """A PNG of one bit a pixel, whatever it says of itself."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + more + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
@pytest.mark.parametrize("size", [(1, 1), (300, 200), (3000, 4000)])
def test_a_picture_becomes_a_small_square_webp(kind: str, size: tuple[int, int]) -> None:
    small = read(made_small(picture(kind, size)))
    assert (small.format, small.size, small.mode) == ("WEBP", SIZE, "RGB")
    red, green, blue = colour_at(made_small(picture(kind, size)), 52, 52)
    assert (red > 200, green < 60, blue < 60) == (True, True, True)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_pictures_of_every_kind_of_colour_are_taken(mode: str) -> None:
    written = BytesIO()
    Image.new(mode, (20, 20)).save(written, "JPEG" if mode == "CMYK" else "PNG")
    assert read(made_small(written.getvalue())).size == SIZE


def test_what_is_transparent_becomes_white() -> None:
    written = BytesIO()
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(written, "PNG")
    assert min(colour_at(made_small(written.getvalue()), 50, 50)) > 250


def test_of_a_moving_picture_the_beginning_is_left() -> None:
    written = BytesIO()
    frames = [Image.new("RGB", (30, 30), colour) for colour in ("red", "green", "blue")]
    frames[0].save(written, "GIF", save_all=True, append_images=frames[1:], duration=50)
    small = made_small(written.getvalue())
    assert getattr(read(small), "n_frames", 1) == 1
    assert colour_at(small, 50, 50)[0] > 200


def test_nothing_else_of_the_file_is_left() -> None:
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    small = made_small(picture("JPEG", exif=exif, comment=b"taken at home", icc_profile=b"taken at home"))
    assert b"taken at home" not in small
    assert not read(small).getexif()


def test_a_picture_stands_as_its_camera_was_held() -> None:
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    image = Image.new("RGB", (100, 100), "white")
    image.paste("black", (0, 0, 100, 50))
    written = BytesIO()
    image.save(written, "JPEG", exif=exif)
    assert colour_at(made_small(written.getvalue()), 50, 90)[0] < 50


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no picture",
        SVG,
        b"<html><script>alert(1)</script></html>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        picture("BMP"),
        picture("TIFF"),
        picture("ICO", (32, 32)),
        picture("PNG")[:200],
        picture("JPEG")[:300],
        picture("WEBP")[:30],
        b"GIF89a",
        b"\x89PNG\r\n\x1a\n" + b"\xff" * 100,
    ],
)
def test_what_is_no_whole_picture_of_the_web_is_refused(content: bytes) -> None:
    with pytest.raises(NoPicture):
        made_small(content)


@pytest.mark.parametrize(("width", "height"), [(20_000, 20_000), (8_000, 4_000), (1, 2**31 - 1), (60_000, 60_000), (0, 5)])
def test_a_bomb_is_refused_before_it_is_unpacked(width: int, height: int) -> None:
    with pytest.raises(NoPicture):
        made_small(png(width, height, bytes(min(width // 8 * height, 50_000_000))))


def test_a_bomb_in_what_is_written_beside_the_picture_is_refused() -> None:
    text = b"comment\0\0" + zlib.compress(bytes(100_000_000))
    chunk = struct.pack(">I", len(text)) + b"zTXt" + text + struct.pack(">I", zlib.crc32(b"zTXt" + text))
    with pytest.raises(NoPicture):
        made_small(png(8, 8, bytes(16), chunk))
