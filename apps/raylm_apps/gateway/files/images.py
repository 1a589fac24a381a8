"""The size of an image as its header tells it, without decoding a pixel.

A library that opens WebP allocates the canvas first, which is what a decompression bomb is for.
"""

import struct
from collections.abc import Iterator

Size = tuple[int, int]
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})


def dimensions(data: bytes, content_type: str) -> Size | None:
    """(width, height) in pixels; None where the header is broken or says nothing."""
    try:
        width, height = _READERS[content_type](data)
    except (struct.error, IndexError, ValueError):
        return None
    return (width, height) if width > 0 and height > 0 else None


def _png(data: bytes) -> Size:
    if data[12:16] != b"IHDR":
        raise ValueError("no IHDR")
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _jpeg(data: bytes) -> Size:
    position = 2
    while True:
        if data[position] != 0xFF:
            raise ValueError("no marker")
        while data[position] == 0xFF:
            position += 1
        marker = data[position]
        position += 1
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, position + 3)
            return width, height
        if marker == 0xDA:
            raise ValueError("a scan before its frame")
        if marker not in _JPEG_WITHOUT_LENGTH:
            position += max(2, struct.unpack_from(">H", data, position)[0])


def _gif(data: bytes) -> Size:
    """The largest of screen and frames: browsers grow the screen to hold a frame."""
    sizes = list(_gif_sizes(data))
    return max(width for width, _ in sizes), max(height for _, height in sizes)


def _gif_sizes(data: bytes) -> Iterator[Size]:
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    yield width, height
    position = 13 + _color_table_bytes(flags)
    while position < len(data) and data[position] != 0x3B:
        if data[position] == 0x2C:
            left, top, width, height, flags = struct.unpack_from("<HHHHB", data, position + 1)
            yield left + width, top + height
            position += 11 + _color_table_bytes(flags)
        elif data[position] == 0x21:
            position += 2
        else:
            return
        while position < len(data) and data[position]:
            position += 1 + data[position]
        position += 1


def _color_table_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _webp(data: bytes) -> Size:
    match data[12:16]:
        case b"VP8X":
            width = int.from_bytes(data[24:27], "little") + 1
            return width, int.from_bytes(data[27:30], "little") + 1
        case b"VP8L" if data[20] == 0x2F:
            bits = int.from_bytes(data[21:25], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 " if data[23:26] == b"\x9d\x01\x2a":
            width, height = struct.unpack_from("<HH", data, 26)
            return width & 0x3FFF, height & 0x3FFF
    raise ValueError("no WebP chunk")


_READERS = {
    "image/png": _png,
    "image/jpeg": _jpeg,
    "image/gif": _gif,
    "image/webp": _webp,
}
