"""Why there is no answer, or no whole one: what is to be done about it depends on that."""

from enum import StrEnum


class Failure(StrEnum):
    UNREACHABLE = "unreachable"  # no connection, or none that lasted until the first byte
    TIMEOUT = "timeout"
    BUSY = "busy"  # too many requests, or too much of everybody's
    SERVER = "server"  # the provider's own fault
    KEY = "key"  # refused for who asks
    MISSING = "missing"  # the provider has no such model
    REQUEST = "request"  # refused for what is asked: nobody else would take it either
    TOO_LONG = "too-long"  # does not fit the model
    POLICY = "policy"  # refused for its content
    BROKEN_OFF = "broken-off"  # it had begun


class WireError(Exception):
    """A provider said that it failed, or something that makes no sense."""

    def __init__(self, failure: Failure, cause: str) -> None:
        super().__init__(f"{failure}: {cause}")
        self.failure = failure
        self.cause = cause
