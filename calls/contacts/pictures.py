"""Strangers' pictures, made small and harmless."""

from __future__ import annotations

from io import BytesIO

from PIL import Image, ImageOps

SIZE = (104, 104)  # twice what a card shows, for dense screens
FORMATS = ("JPEG", "PNG", "GIF", "WEBP")  # decoders that nobody has any use for here are none to attack
MOST_PIXELS = 16_000_000  # 64 MB in memory
CONTENT_TYPE = "image/webp"

Image.MAX_IMAGE_PIXELS = MOST_PIXELS  # Pillow itself refuses twice as many, and warns before


class NoPicture(Exception):
    """Why it can't be shown, technically."""


def made_small(content: bytes) -> bytes:
    """The picture as a square WebP; of a moving one the beginning. Nothing else that came in the file is left.

    Raises: NoPicture.
    """
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise NoPicture(f"too large: {image.width} x {image.height}")
            image.draft("RGB", SIZE)
            return _as_webp(image)
    except NoPicture:
        raise
    except Exception as error:  # whatever a decoder stumbles over that was fed by a stranger
        raise NoPicture(f"{type(error).__name__}: {error}"[:200]) from error


def _as_webp(image: Image.Image) -> bytes:
    small = ImageOps.fit(ImageOps.exif_transpose(image).convert("RGBA"), SIZE)
    on_white = Image.new("RGB", SIZE, "white")
    on_white.paste(small, mask=small)
    written = BytesIO()
    on_white.save(written, "WEBP", quality=80)
    return written.getvalue()
