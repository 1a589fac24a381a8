"""A group as a model: what every member can do, at what the dearest costs."""

from collections.abc import Mapping, Sequence

from raylm_apps.gateway.providers.base import ModelCard, Prices
from raylm_apps.gateway.routing.sections import GroupConfig

SEVERAL = "group"  # the provider, where members have different ones


def group_card(name: str, group: GroupConfig, known: Mapping[str, ModelCard]) -> ModelCard:
    members = [known[member.model] for member in group.members if member.model in known]
    larger = [known[other] for other in group.context_fallbacks if other in known]
    providers = {member.provider for member in members}
    return ModelCard(
        name,
        group.name or name,
        providers.pop() if len(providers) == 1 else SEVERAL,
        reasoning=bool(members) and all(member.reasoning for member in members),
        tools=bool(members) and all(member.tools for member in members),
        vision=bool(members) and all(member.vision for member in members),
        chat_template=all(member.chat_template for member in members),
        context_tokens=_context_tokens(members, larger),
        prices=Prices.dearest([member.prices for member in members if member.prices]),
        embeds=bool(members) and all(member.embeds for member in members),
    )


def _context_tokens(members: Sequence[ModelCard], larger: Sequence[ModelCard]) -> int | None:
    """What every member takes, or a fallback for what is too long for them."""
    sizes = [member.context_tokens for member in members if member.context_tokens]
    most = [other.context_tokens for other in larger if other.context_tokens]
    return max([min(sizes), *most]) if sizes else None
