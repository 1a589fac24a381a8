"""The key with which the gateway changes the engine's models."""

from pydantic import SecretStr

from raylm.core.schema import UpConfig
from raylm_apps.deploy.stack import sharing_a_key
from raylm_apps.gateway.settings import Settings


def keys(settings: Settings, config: UpConfig) -> tuple[str, str | None]:
    told, serving = sharing_a_key(settings, config)
    assert told.admin_key is not None
    return told.admin_key.get_secret_value(), serving.serve.admin_key


def test_both_have_a_key_that_nobody_has_chosen() -> None:
    first, second = (keys(Settings(admin_key=None), UpConfig()) for _ in range(2))
    assert first[0] == first[1]
    assert first != second
    assert len(first[0]) > 40


def test_a_chosen_key_stays() -> None:
    chosen = Settings(admin_key=SecretStr("mine"))
    assert keys(chosen, UpConfig()) == ("mine", "mine")
    configured = UpConfig.load({"serve": {"admin_key": "configured"}})
    assert keys(chosen, configured) == ("configured", "configured")
