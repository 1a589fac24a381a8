"""What tools and their calls are called, so that every provider and client accepts it."""

import re
import uuid


def new_call_id() -> str:
    """Ours, not the provider's: some repeat theirs in each step, and a message needs them apart."""
    return f"call_{uuid.uuid4().hex[:24]}"


def tool_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", text)[:64] or "unknown"
