"""Secrets that a client holds and the database knows by their hash alone."""

import hashlib
import secrets

KEY_MARK = "raylm_"
SHOWN_CHARS = len(KEY_MARK) + 6


def new_session_token() -> str:
    """Without a dot, which a guest's signed token has."""
    return secrets.token_urlsafe(32)


def new_mailed_token() -> str:
    return secrets.token_urlsafe(32)


def new_api_key() -> str:
    return KEY_MARK + secrets.token_urlsafe(32)


def digest(secret: str) -> bytes:
    """256 random bits cannot be guessed: a fast hash is enough, unlike a password's."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
