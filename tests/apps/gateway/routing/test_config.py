import re
from pathlib import Path

import aiohttp
import pytest

from raylm.core.errors import ConfigError
from raylm_apps.gateway.providers.registry import KINDS
from raylm_apps.gateway.routing.config import ProvidersConfig
from raylm_apps.gateway.routing.reading import read_offer
from raylm_apps.gateway.settings import Settings

EXAMPLE = Path(__file__).parents[4] / "configs" / "serve" / "providers.yaml"


def mistake(tmp_path: Path, text: str, providers: set[str] | None = None) -> str:
    path = tmp_path / "providers.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        ProvidersConfig.read(path).check_names(providers or {"openai", "mock"})
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("provider: {}", "unknown key 'provider' (value {}); did you mean 'providers'?"),
        (
            "providers: {a: {kind: opena}}",
            "key 'providers.a.kind' (value 'opena'): no such kind of provider; "
            "did you mean 'openai'?",
        ),
        ("providers: {a: {kind: raylm}}", "a provider of kind 'raylm' needs a base_url"),
        (
            "providers: {a: {kind: openai, base_ur: x}}",
            "unknown key 'providers.a.base_ur' (value 'x'); did you mean 'base_url'?",
        ),
        ("providers: {a: {kind: openai, base_url: ftp://x}}", "'providers.a.base_url' (value 'ftp"),
        ("providers: {a/b: {kind: mock}}", "providers.a/b"),
        (
            "models: {openai/x: {price: {}}}",
            "unknown key 'models.openai/x.price' (value {}); did you mean 'prices'?",
        ),
        (
            "models: {openai/x: {prices: {input: 1}}}",
            "key 'models.openai/x.prices.output' is required",
        ),
        (
            "models: {openai/x: {allow: [admins]}}",
            "'models.openai/x.allow' (value ['admins']): 'admins' is no e-mail address and no "
            "type of user; did you mean 'admin'?",
        ),
        (
            "groups: {g: {members: [mock/echo], strategy: orderly}}",
            "key 'groups.g.strategy' (value 'orderly')",
        ),
        (
            "groups: {g: {members: [{model: mock/echo, weigh: 2}]}}",
            "unknown key 'groups.g.members.0.weigh' (value 2); did you mean 'weight'?",
        ),
        ("groups: {g: {members: []}}", "key 'groups.g.members' (value [])"),
        ("groups: {g: {members: [echo]}}", "'groups.g.members.0.model' (value 'echo')"),
        ("groups: {g: {members: [mock/echo], attempts: 0}}", "'groups.g.attempts' (value 0)"),
        (
            "groups: {g: {members: [mock/echo], fallbacks: [h]}, hh: {members: [mock/echo]}}",
            "groups.g.fallbacks: no group 'h'",
        ),
        (
            "groups: {g: {members: [opanai/gpt]}}",
            "groups.g.members: 'opanai/gpt' is of no provider there is; did you mean 'openai'?",
        ),
        ("groups: [", "not valid YAML"),
    ],
)
def test_a_mistake_names_key_value_and_remedy(tmp_path: Path, text: str, told: str) -> None:
    assert told in mistake(tmp_path, text)


@pytest.mark.parametrize("key", ["sk-secret", "[sk-secret]", "${A}sk-secret"])
def test_a_key_in_the_file_is_refused_and_not_repeated(tmp_path: Path, key: str) -> None:
    told = mistake(tmp_path, f"providers: {{a: {{kind: opnai, api_key: '{key}'}}}}")
    assert "'providers.a.api_key' must name a variable" in told
    assert "sk-secret" not in told


def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    provider = ProvidersConfig.read(EXAMPLE).providers["openai"]
    with pytest.raises(ConfigError, match="set OPENAI_API_KEY in the environment"):
        provider.connection("openai")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    connection = provider.connection("openai")
    assert connection.api_key == "sk-secret"
    assert "sk-secret" not in repr(connection)


def test_a_section_of_comments_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "providers.yaml"
    path.write_text("providers:\n  # none yet\nmodels:\ngroups:\n")
    assert ProvidersConfig.read(path) == ProvidersConfig()


def test_the_example_says_what_it_seems_to() -> None:
    config = ProvidersConfig.read(EXAMPLE)
    config.check_names(set(config.providers))
    assert {provider.kind for provider in config.providers.values()} <= KINDS.keys()
    smart = config.groups["smart"]
    assert [(one.priority, one.weight) for one in smart.members] == [(0, 1), (1, 2)]
    assert config.models["openai/gpt-5"].allow == {"regular", "admin"}
    assert config.models["openai/quick"].changes()["prices"].output == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("providers: {a: {kind: openai, api_key: '${NO_SUCH_KEY}'}}", "set NO_SUCH_KEY in the"),
        ("groups: {g: {members: [nobody/x]}}", "'nobody/x' is of no provider there is"),
    ],
)
async def test_what_only_the_environment_can_tell_is_told_with_the_file(
    tmp_path: Path, text: str, told: str
) -> None:
    path = tmp_path / "providers.yaml"
    path.write_text(text)
    async with aiohttp.ClientSession() as client:
        with pytest.raises(ConfigError, match=re.escape(f"{path}: ")) as error:
            read_offer(Settings(providers=path), client, lambda provider: provider)
    assert told in str(error.value)
