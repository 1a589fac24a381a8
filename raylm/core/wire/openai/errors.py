"""OpenAI's error body: `{"error": {"message", "type", "param", "code"}}`."""

from typing import Self

from pydantic import BaseModel


class ErrorDetail(BaseModel):
    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorBody(BaseModel):
    error: ErrorDetail

    @classmethod
    def of(
        cls, message: str, type: str, *, param: str | None = None, code: str | None = None
    ) -> Self:
        return cls(error=ErrorDetail(message=message, type=type, param=param, code=code))
