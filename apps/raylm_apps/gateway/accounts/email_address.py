"""E-mail addresses, in the one spelling under which they are compared."""

from typing import Annotated

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, StringConstraints, WithJsonSchema

MAX_CHARS = 254


def normalised(email: str) -> str:
    """Raises ValueError. Names of a test network (.test) are addresses too."""
    try:
        found = validate_email(email.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValueError(str(error)) from None
    return found.normalized.lower()


Email = Annotated[
    str,
    StringConstraints(max_length=MAX_CHARS),
    AfterValidator(normalised),
    WithJsonSchema({"type": "string", "format": "email", "maxLength": MAX_CHARS}),
]
