"""Errors as the chat API shows them: `type:surface`, and which surfaces users may not see."""

import math
from typing import Any

STATUS = {
    "bad_request": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "conflict": 409,
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
    "bad_request:auth": "The sign-in did not succeed. Please try again.",
    "bad_request:file": "The file cannot be kept.",
    "bad_request:password": "The account has no e-mail address that a password could belong to.",
    "bad_request:stream": "The position in the stream is not one. Please reload the chat.",
    "forbidden:api": "Requests from other sites are refused.",
    "bad_request:model": "The engine cannot load this model.",
    "bad_request:token": "The link is used, too old, or for another account. Ask for a new one.",
    "bad_request:message": "Several of your chats have this message. Please give chatId.",
    "conflict:budget": "There is such a budget, or another admin has changed it. Please reload.",
    "conflict:model": "The engine has another model of that name loaded. Unload it first.",
    "conflict:auth": "This account exists already.",
    "forbidden:auth": "Your account may not do that.",
    "forbidden:chat": "This chat belongs to another user.",
    "forbidden:document": "This document belongs to another user.",
    "forbidden:engine": "Models are changed with the engine's admin key: set RAYLM_ADMIN_KEY.",
    "forbidden:model": "You may not use this model. Please choose another one.",
    "forbidden:password": "The current password is not right.",
    "forbidden:suggestions": "These suggestions are for another user's document.",
    "forbidden:team": "Teams are for accounts. Please sign in.",
    "forbidden:vote": "Answers are voted on by the owner of their chat.",
    "not_found:budget": "There is no such budget, or nobody whom it would be for.",
    "not_found:chat": "This chat does not exist. It may have been deleted.",
    "not_found:checkpoint": "This checkpoint does not exist. A newer one may have replaced it.",
    "not_found:document": "This document, or this version of it, does not exist.",
    "not_found:file": "This file does not exist. It may have been deleted.",
    "not_found:folder": "This folder does not exist. It may have been deleted.",
    "not_found:mail": "This server sends no mail. Please ask whoever runs it.",
    "not_found:model": "There is no such model here.",
    "not_found:message": "This message does not exist. It may have been deleted.",
    "not_found:run": "This run does not exist. It may have been deleted.",
    "not_found:suggestions": "This suggestion does not exist. Its version may be gone.",
    "not_found:team": "You are in no such team.",
    "not_found:user": "There is no such account here.",
    "not_found:history": "The chat that the page starts from does not exist.",
    "method_not_allowed:api": "This address does not do that.",
    "not_found:api": "There is nothing at this address.",
    "not_found:auth": "There is no such session, key or way to sign in.",
    "offline:auth": "The sign-in provider is not reachable at the moment. Please try again.",
    "offline:budget": "Your budget cannot be read at the moment. Please try again.",
    "offline:chat": "The service is not reachable at the moment. Please try again.",
    "offline:engine": "The local engine is not reachable at the moment. Please try again.",
    "offline:mail": "Mail cannot be sent at the moment. Please try again later.",
    "rate_limit:auth": "Too many attempts. Please wait a while and try again.",
    "rate_limit:budget": "The budget for this is used up, or what is left of it is not enough.",
    "rate_limit:chat": "You have reached the limit for messages or answers at once. Please wait.",
    "rate_limit:file": "You keep too many files. Please delete some, or a chat that has them.",
    "rate_limit:stream": "Too many answers are being read at once. Please close some pages.",
    "rate_limit:folder": "You have as many folders as there can be.",
    "storage_full:model": "There is no room in memory for this model beside the others.",
    "storage_full:file": "There is no room for files at the moment. Please try again later.",
    "too_large:api": "The request is too large.",
    "too_large:document": "The document has reached its limit.",
    "too_large:file": "The file is too large.",
    "unauthorized:auth": "E-mail, password or key is wrong, or the session has ended.",
    "unauthorized:fresh": "Please sign in again: this needs a sign-in of the last ten minutes.",
    "unauthorized:chat": "Please sign in, or start a guest session, to chat.",
    "unsupported_media_type:file": "A file is uploaded as multipart/form-data.",
    "unsupported_media_type:api": "The request's body must be application/json.",
}


class ApiError(Exception):
    def __init__(
        self, code: str, cause: str | None = None, *, retry_after_s: float | None = None
    ) -> None:
        super().__init__(f"{code}: {cause or MESSAGES.get(code, '')}")
        self.code = code
        self.cause = cause and cause.encode(errors="replace").decode()  # it may quote anything
        self._retry_after_s = retry_after_s

    @property
    def status(self) -> int:
        return STATUS[self.code.partition(":")[0]]

    @property
    def headers(self) -> dict[str, str]:
        if self._retry_after_s is None:
            return {}
        return {"retry-after": str(max(1, math.ceil(self._retry_after_s)))}

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
