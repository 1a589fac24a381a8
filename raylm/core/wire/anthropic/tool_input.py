"""A call's arguments as the object that Anthropic has in their place."""

from typing import Any

import orjson


def tool_input(arguments: str) -> dict[str, Any]:
    """Of text that is no JSON object, the text: a model must see again what it wrote."""
    if not arguments.strip():
        return {}
    try:
        found = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        found = None
    return found if isinstance(found, dict) else {"arguments": arguments}
