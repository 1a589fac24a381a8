from typing import Any

import pytest
from pydantic import BaseModel, Field

from raylm.core.wire.prompt import ToolDefinition
from raylm_apps.gateway.providers.base import ModelCard
from raylm_apps.gateway.tools.base import ToolContext
from raylm_apps.gateway.tools.registry import Registry

WITH = ModelCard("a/b", "b", "a", tools=True)
WITHOUT = ModelCard("a/c", "c", "a")


class Words(BaseModel):
    text: str = Field(description="what to say")
    title: str = "none"


class Say:
    description = "Says it."
    arguments = Words
    timeout_s = 1.0

    def __init__(self, name: str, *, needs_approval: bool = False) -> None:
        self.name = name
        self.needs_approval = needs_approval

    async def run(self, arguments: Words, context: ToolContext) -> Any:
        return arguments.text


def test_which_tools_a_model_gets() -> None:
    tools = [Say("free"), Say("asks", needs_approval=True), Say("risky")]
    registry = Registry(tools, approval=frozenset({"risky"}))
    assert registry.toolbox(WITHOUT, approvals=True) == {}
    assert set(registry.toolbox(WITH, approvals=False)) == {"free"}
    offered = registry.toolbox(WITH, approvals=True)
    asks = {name: tool.needs_approval for name, tool in offered.items()}
    assert asks == {"free": False, "asks": True, "risky": True}


def test_a_source_is_asked_every_time_and_loses_to_what_is_registered() -> None:
    own, coming = Say("own"), list[Say]()
    registry = Registry([own])
    registry.add_source(lambda: coming)
    assert set(registry.toolbox(WITH, approvals=False)) == {"own"}
    coming += [Say("own"), Say("far")]
    toolbox = registry.toolbox(WITH, approvals=False)
    assert set(toolbox) == {"own", "far"}
    assert toolbox["own"].tool is own


@pytest.mark.parametrize("name", ["", "two words", "x" * 65, "own"])
def test_a_name_that_cannot_be(name: str) -> None:
    registry = Registry([Say("own")])
    with pytest.raises(ValueError, match="tool "):
        registry.register(Say(name))


def test_a_definition_is_the_schema_without_the_titles() -> None:
    offered = Registry([Say("say")]).toolbox(WITH, approvals=False)["say"]
    assert offered.definition == ToolDefinition(
        "say",
        "Says it.",
        {
            "type": "object",
            "properties": {
                "text": {"type": "string", "description": "what to say"},
                "title": {"type": "string", "default": "none"},
            },
            "required": ["text"],
        },
    )
