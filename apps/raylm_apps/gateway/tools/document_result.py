"""What a document's tool tells the model and the page."""

from typing import Any

from raylm_apps.gateway.store.documents import Version

EXCERPT_CHARS = 400


def result_of(version: Version, message: str) -> dict[str, Any]:
    return {
        "id": version.id,
        "title": version.title,
        "kind": version.kind,
        "content": excerpt(version.content),
        "message": message,
    }


def excerpt(text: str) -> str:
    return text if len(text) <= EXCERPT_CHARS else f"{text[:EXCERPT_CHARS].rstrip()}…"
