"""What an upload is: decided by its bytes. A name only tells one harmless text from another."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from raylm_apps.gateway.files.images import dimensions

RASTER = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
PDF = "application/pdf"
KNOWN = "JPEG, PNG, GIF, WebP, PDF, or text in UTF-8"
_MAGIC = (
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "image/webp"),
    (re.compile(rb"%PDF-"), PDF),
)
_TEXTS = {".csv": "text/csv", ".md": "text/markdown", ".markdown": "text/markdown"}
_BINARY = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\ufffe\uffff]")


class UnacceptableError(ValueError):
    """The upload is nothing that is kept here; the message is for its user."""


@dataclass(frozen=True)
class Kind:
    content_type: str
    text: str | None = None
    """Of a text file, decoded."""


def kind_of(data: bytes, name: str, *, max_pixels: int) -> Kind:
    """Raises UnacceptableError. HTML and SVG are texts like any other, and served as such."""
    if not data:
        raise UnacceptableError("the file is empty")
    for magic, content_type in _MAGIC:
        if magic.match(data):
            if content_type in RASTER:
                _check_pixels(data, content_type, max_pixels)
            return Kind(content_type)
    text = _decoded(data)
    if text is None:
        raise UnacceptableError(f"the file is not {KNOWN}")
    return Kind(_TEXTS.get(PurePosixPath(name).suffix.lower(), "text/plain"), text)


def _check_pixels(data: bytes, content_type: str, max_pixels: int) -> None:
    """Read from the header: an image is never decoded here, whatever it claims to be."""
    size = dimensions(data, content_type)
    if size is None:
        raise UnacceptableError(f"the file begins like {content_type} but is none")
    width, height = size
    if width * height > max_pixels:
        raise UnacceptableError(
            f"the image has {width} x {height} pixels; at most {max_pixels:,} in all"
        )


def _decoded(data: bytes) -> str | None:
    is_wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = data.decode("utf-16" if is_wide else "utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if _BINARY.search(text) else text
