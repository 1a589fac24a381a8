import concurrent.futures
import stat
from pathlib import Path

import pytest

from raylm.core.errors import ConfigError
from raylm_apps.gateway.settings import Settings


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYLM_DATABASE_URL", "postgresql://db/raylm")
    monkeypatch.setenv("RAYLM_REDIS_URL", "")
    monkeypatch.setenv("RAYLM_MOCK_PROVIDER", "1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-secret")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://anthropic.example")
    monkeypatch.setenv("RAYLM_TOOL_APPROVAL", "getWeather, demo_note")
    settings = Settings.from_environment()
    assert settings.database_url == "postgresql://db/raylm"
    assert settings.redis_url is None
    assert settings.mock_provider is True
    assert settings.tool_approval == {"getWeather", "demo_note"}
    assert settings.openai_api_key is not None
    assert settings.anthropic_base_url == "http://anthropic.example"
    assert "sk-secret" not in repr(settings)
    assert "sk-ant-secret" not in repr(settings)


def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYLM_LIMITS", "maybe")
    with pytest.raises(ConfigError, match="RAYLM_LIMITS 'maybe': Input should be 'on' or 'off'"):
        Settings.from_environment()


def test_a_variable_that_others_have_named_is_named_as_they_did(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API", "completions")
    with pytest.raises(ConfigError, match="environment: OPENAI_API 'completions': Input should be"):
        Settings.from_environment()


def test_names_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYLM_ADMIN_EMAILS", "Boss@Example.com, ada@example.com,")
    monkeypatch.setenv("RAYLM_TRUSTED_PROXIES", "10.0.0.0/8,::1")
    settings = Settings.from_environment()
    assert settings.admin_emails == ("boss@example.com", "ada@example.com")
    assert settings.trusted_proxies == ("10.0.0.0/8", "::1")
    assert Settings().admin_emails == settings.admin_emails


@pytest.mark.parametrize(
    ("name", "value"), [("RAYLM_TRUSTED_PROXIES", "10.0.0.0/8,proxy"), ("RAYLM_ADMIN_EMAILS", "me")]
)
def test_a_wrong_name_in_a_list_is_told(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=f"{name} .*{value}"):
        Settings.from_environment()


def test_the_secret_is_made_once_and_kept(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        secrets = {
            future.result() for future in [threads.submit(settings.signing_key) for _ in range(8)]
        }
    assert len(secrets) == 1
    assert len(secrets.pop()) >= 48
    path = tmp_path / "data" / "secret_key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_given_secret_is_used(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, secret_key="given")  # type: ignore[arg-type]
    assert settings.signing_key() == b"given"
    assert list(tmp_path.iterdir()) == []
