import pytest
from hypothesis import given
from hypothesis import strategies as st

from raylm_apps.gateway.files.kinds import RASTER, UnacceptableError, kind_of
from tests.apps.gateway.files.samples import gif, jpeg, pdf, png, webp

SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"


@pytest.mark.parametrize(
    ("data", "name", "content_type"),
    [
        (png(), "holiday.html", "image/png"),
        (jpeg(), "x", "image/jpeg"),
        (gif(), "x.svg", "image/gif"),
        (webp(b"VP8X"), "x", "image/webp"),
        (pdf("Hello"), "a.txt", "application/pdf"),
        (SVG, "x.svg", "text/plain"),
        (SVG, "x.png", "text/plain"),
        (b"<!doctype html><script>alert(1)</script>", "x.html", "text/plain"),
        (b"a,b\n1,2\n", "table.CSV", "text/csv"),
        (b"# Title", "README.md", "text/markdown"),
        (b"print('hi')", "a.py", "text/plain"),
        ("Grüße".encode("utf-16"), "a.txt", "text/plain"),
        ("\ufeffGrüße".encode(), "a.txt", "text/plain"),
    ],
)
def test_the_bytes_decide(data: bytes, name: str, content_type: str) -> None:
    assert kind_of(data, name, max_pixels=1_000).content_type == content_type


def test_texts_are_decoded() -> None:
    for data in ("Grüße".encode(), "\ufeffGrüße".encode(), "Grüße".encode("utf-16")):
        assert kind_of(data, "a.txt", max_pixels=1).text == "Grüße"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"MZ\x90\x00\x03", "is not JPEG"),
        (b"PK\x03\x04docx", "is not JPEG"),
        ("Grüße".encode("latin-1"), "is not JPEG"),
        (b"text with a\x00NUL", "is not JPEG"),
        (b"\xff\xd8\xff no jpeg", "begins like image/jpeg"),
        (png()[:20], "begins like image/png"),
        (png(0, 1), "begins like image/png"),
        (b"RIFF1234WEBPjunkjunkjunk", "begins like image/webp"),
        (png(65_000, 65_000), "has 65000 x 65000 pixels; at most 1,000,000 in all"),
        (jpeg(65_000, 65_000), "has 65000 x 65000 pixels"),
        (gif(1, 1, frame=(65_000, 65_000)), "has 65000 x 65000 pixels"),
        (webp(b"VP8X", 16_000_000, 16_000_000), "has 16000000 x 16000000 pixels"),
        (webp(b"VP8L", 16_000, 16_000), "has 16000 x 16000 pixels"),
        (webp(b"VP8 ", 16_000, 16_000), "has 16000 x 16000 pixels"),
    ],
)
def test_what_is_not_kept(data: bytes, reason: str) -> None:
    with pytest.raises(UnacceptableError, match=reason):
        kind_of(data, "x.png", max_pixels=1_000_000)


BEGINNINGS = [png()[:24], jpeg()[:12], gif()[:13], webp(b"VP8X")[:20], b"%PDF-", b""]


@given(st.sampled_from(BEGINNINGS), st.binary(max_size=200))
def test_whatever_comes_has_a_kind_or_a_reason(beginning: bytes, rest: bytes) -> None:
    try:
        kind = kind_of(beginning + rest, "x", max_pixels=1_000)
    except UnacceptableError:
        return
    assert kind.content_type in RASTER | {"application/pdf", "text/plain"}
