"""Errors as the chat API shows them: `type:surface`, and which surfaces users may not see."""

from typing import Any

STATUS = {
    "bad_request": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "too_large": 413,
    "unsupported_media_type": 415,
    "rate_limit": 429,
    "internal": 500,
    "storage_full": 507,
    "offline": 503,
}
LOG_ONLY = frozenset({"database", "server"})
HIDDEN = "Something went wrong. Please try again later."
MESSAGES = {
    "bad_request:api": "The request cannot be processed. Please check it and try again.",
    "bad_request:file": "The file cannot be kept.",
    "bad_request:stream": "The position in the stream is not one. Please reload the chat.",
    "forbidden:api": "Requests from other sites are refused.",
    "forbidden:chat": "This chat belongs to another user.",
    "forbidden:document": "This document belongs to another user.",
    "forbidden:suggestions": "These suggestions are for another user's document.",
    "not_found:chat": "This chat does not exist. It may have been deleted.",
    "not_found:document": "This document, or this version of it, does not exist.",
    "not_found:suggestions": "This suggestion does not exist. Its version may be gone.",
    "not_found:file": "This file does not exist. It may have been deleted.",
    "not_found:history": "The chat that the page starts from does not exist.",
    "method_not_allowed:api": "This address does not do that.",
    "not_found:api": "There is nothing at this address.",
    "offline:chat": "The service is not reachable at the moment. Please try again.",
    "rate_limit:chat": "Too many answers are being written for you. Please wait for one to end.",
    "rate_limit:file": "You keep too many files. Please delete some, or a chat that has them.",
    "storage_full:file": "There is no room for files at the moment. Please try again later.",
    "too_large:api": "The request is too large.",
    "too_large:document": "The document has reached its limit.",
    "too_large:file": "The file is too large.",
    "unauthorized:chat": "Please sign in, or start a guest session, to chat.",
    "unsupported_media_type:file": "A file is uploaded as multipart/form-data.",
    "unsupported_media_type:api": "The request's body must be application/json.",
}


class ApiError(Exception):
    def __init__(self, code: str, cause: str | None = None) -> None:
        super().__init__(f"{code}: {cause or MESSAGES.get(code, '')}")
        self.code = code
        self.cause = cause

    @property
    def status(self) -> int:
        return STATUS[self.code.partition(":")[0]]

    def body(self) -> dict[str, Any]:
        """What the user sees; a log-only surface is masked."""
        if self.code.partition(":")[2] in LOG_ONLY:
            return {"code": "", "message": HIDDEN, "cause": None}
        return {"code": self.code, "message": MESSAGES[self.code], "cause": self.cause}


class FileError(ApiError):
    """Its body also has `error`, which is what the template's page shows about an upload."""

    def body(self) -> dict[str, Any]:
        body = super().body()
        reasons = [body["message"], *([f"({self.cause})"] if self.cause else [])]
        return {**body, "error": " ".join(reasons)}


def code_for(status: int) -> str:
    """For the errors that the framework itself answers with."""
    kinds = {known: kind for kind, known in STATUS.items()}
    kind = kinds.get(status, "bad_request" if status < 500 else "internal")
    return f"{kind}:{'api' if status < 500 else 'server'}"
