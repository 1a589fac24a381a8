"""The gateway's environment, typed. Every variable is named here and nowhere else."""

import os
import secrets
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from raylm.core.errors import ConfigError
from raylm_apps.gateway.accounts.email_address import normalised
from raylm_apps.gateway.client_address import parse_networks

Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Names = Annotated[tuple[str, ...], NoDecode]
"""In the environment separated by commas."""


class Settings(BaseSettings):
    """Read from the environment (`RAYLM_...`), or given as arguments."""

    model_config = SettingsConfigDict(
        env_prefix="RAYLM_",
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        populate_by_name=True,
    )

    data_dir: Path = Path("~/.raylm")
    database_url: str | None = Field(None, description="default: an embedded PostgreSQL")
    redis_url: str | None = Field(None, description="default: an embedded Valkey")
    secret_key: SecretStr | None = Field(None, description="default: kept in data_dir/secret_key")

    engine_url: str | None = Field(
        None, description="the local engine's OpenAI-compatible base, e.g. http://HOST/engine/v1"
    )
    model: str | None = Field(None, description="the model of a new chat; default: the first")
    admin_key: SecretStr | None = Field(None, description="the local engine's, to change models")
    local_models: Names = Field(
        ("smollm2",), description="names or folders that admins may load, besides what runs saved"
    )
    runs: Path = Field(Path("runs"), description="the folder with the directories of runs")
    mock_provider: bool = False
    providers: Path | None = Field(None, description="YAML: more of them, models, groups")
    openai_api_key: SecretStr | None = Field(None, validation_alias="OPENAI_API_KEY")
    openai_base_url: str = Field("https://api.openai.com/v1", validation_alias="OPENAI_BASE_URL")
    openai_api: Literal["chat", "responses"] = Field(
        "chat", validation_alias="OPENAI_API", description="which of the server's APIs is spoken"
    )
    anthropic_api_key: SecretStr | None = Field(None, validation_alias="ANTHROPIC_API_KEY")
    anthropic_base_url: str = Field(
        "https://api.anthropic.com", validation_alias="ANTHROPIC_BASE_URL"
    )
    google_api_key: SecretStr | None = Field(None, validation_alias="GOOGLE_API_KEY")
    google_base_url: str = Field(
        "https://generativelanguage.googleapis.com", validation_alias="GOOGLE_BASE_URL"
    )

    title_model: str | None = Field(
        None, description="names new chats; 'off', or by default the chat's own where it is hosted"
    )
    title_timeout_s: Seconds = 10.0

    max_tool_steps: Count = Field(5, description="of one answer, before a last one without tools")
    max_tool_result_chars: Count = Field(100_000, description="of which only the beginning is kept")
    tool_approval: Annotated[frozenset[str], NoDecode] = Field(
        frozenset(), description="names, with commas, of tools whose calls a person must allow"
    )
    weather_url: str = "https://api.open-meteo.com/v1/forecast"
    geocoding_url: str = "https://geocoding-api.open-meteo.com/v1/search"
    mcp_config: Path | None = Field(None, description="YAML, see tools/mcp_config.py")
    pyodide_dir: Path | None = Field(
        None, description="a folder with Pyodide's files: documents' Python runs in the browser"
    )

    guardrails: Names = Field(
        (), description="module:attribute of objects that check questions and answers"
    )
    log_exchanges: bool = Field(
        False, description="write questions and answers to the log, without keys and addresses"
    )
    v1_access: Literal["keys", "anyone"] = Field(
        "keys", description="who may use /v1: with an API key or signed in, or every program"
    )
    limits: Literal["on", "off"] = "on"
    max_text_chars: Count = Field(8_000, description="of one message")
    max_body_bytes: Count = 1_000_000
    max_api_body_bytes: Count = Field(32_000_000, description="of /v1, whose bodies have images")
    max_answers_per_user: Count = Field(8, description="generated at the same time")
    max_answers_per_admin: Count = Field(32, description="generated at the same time")
    max_answers_per_key: Count = Field(128, description="of an API key, at the same time")
    max_answers_from_address: Count = Field(64, description="generated at the same time")
    max_answer_tokens: Count = Field(1_024, description="of the local engine")

    guest_messages_per_hour: Count = 100
    messages_per_hour: Count = Field(500, description="of a user with an account")
    admin_messages_per_hour: Count = 10_000
    messages_per_hour_of_key: Count = Field(100_000, description="of an API key")
    messages_per_hour_from_address: Count = Field(2_000, description="of all its users")
    guests_per_hour_from_address: Count = 120
    registrations_per_hour_from_address: Count = 30
    logins_from_address: Count = Field(60, description="in 15 minutes, right or wrong")
    logins_per_account: Count = Field(10, description="that failed, in 15 minutes")
    max_api_keys: Count = Field(20, description="of one user")
    trusted_proxies: Names = Field(
        (), description="networks whose X-Forwarded-For is believed, e.g. 10.0.0.0/8,127.0.0.1"
    )

    mails_per_hour_from_address: Count = Field(30, description="asked for from there")
    mails_per_hour_to_account: Count = Field(5, description="asked for by anybody")
    max_readers_per_user: Count = Field(64, description="of answers' streams, open in a process")
    max_readers_from_address: Count = Field(256, description="open in a process")

    smtp_url: SecretStr | None = Field(
        None,
        description="smtp://user:password@host:587?starttls, smtps://...; default: no mail is sent",
    )
    mail_from: str | None = Field(None, description="e.g. RayLM <no-reply@chat.example>")

    public_url: str | None = Field(
        None, description="how browsers reach the gateway; default: as the request says"
    )
    admin_emails: Names = Field((), description="admins, once a provider has verified the address")
    github_client_id: str | None = Field(None, validation_alias="GITHUB_CLIENT_ID")
    github_client_secret: SecretStr | None = Field(None, validation_alias="GITHUB_CLIENT_SECRET")
    github_url: str = "https://github.com"
    github_api_url: str = "https://api.github.com"
    google_client_id: str | None = Field(None, validation_alias="GOOGLE_CLIENT_ID")
    google_client_secret: SecretStr | None = Field(None, validation_alias="GOOGLE_CLIENT_SECRET")
    google_issuer: str = "https://accounts.google.com"

    files_url: str | None = Field(
        None, description="where uploads lie, e.g. s3://bucket/prefix; default: data_dir/files"
    )
    files_endpoint: str | None = Field(None, description="of an S3-compatible server")
    max_file_bytes: Count = 10_000_000
    max_image_pixels: Count = 40_000_000
    max_files_per_message: Count = 8
    max_files_per_user: Count = 1_000
    max_file_bytes_per_user: Count = 1_000_000_000
    files_sweep_every_s: Seconds = 60.0
    files_keep_unsent_s: Seconds = Field(86_400.0, description="an upload that no message has")
    files_keep_sent_s: Seconds = Field(60.0, description="a file after its last chat is deleted")

    checkpoint_every_s: Seconds = Field(1.0, description="how often a growing answer is stored")
    lease_s: Seconds = Field(5.0, description="silence after which an answer's producer is dead")
    heartbeat_s: Seconds = Field(15.0, description="between SSE comments on an idle stream")
    stream_ttl_s: Count = Field(3_600, description="how long Redis keeps an answer's stream")
    drain_s: Seconds = Field(10.0, description="for answers to finish at shutdown")

    @classmethod
    def from_environment(cls) -> Self:
        """Raises ConfigError, one line for every variable that cannot be read."""
        try:
            return cls()
        except ValidationError as error:
            lines = [
                f"{_variable(mistake['loc'][0])} {mistake['input']!r}: {mistake['msg']}"
                for mistake in error.errors()
            ]
            raise ConfigError("environment: " + "; ".join(lines)) from None

    @field_validator("tool_approval", mode="before")
    @classmethod
    def _names(cls, value: object) -> object:
        if isinstance(value, str):
            return frozenset(name.strip() for name in value.split(",") if name.strip())
        return value

    @field_validator("data_dir", "runs")
    @classmethod
    def _absolute(cls, folder: Path) -> Path:
        return folder.expanduser().absolute()

    @field_validator("trusted_proxies", "admin_emails", "guardrails", "local_models", mode="before")
    @classmethod
    def _separated(cls, names: object) -> object:
        if isinstance(names, str):
            return tuple(name.strip() for name in names.split(",") if name.strip())
        return names

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        parse_networks(names)
        return names

    @field_validator("admin_emails")
    @classmethod
    def _are_addresses(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(normalised(name) for name in names)

    @property
    def embedded(self) -> bool:
        """Whether a store must be started here."""
        return self.database_url is None or self.redis_url is None

    def signing_key(self) -> bytes:
        """The secret that signs sessions, made and kept (0600) on first use."""
        if self.secret_key is not None:
            return self.secret_key.get_secret_value().encode()
        return _kept_secret(self.data_dir / "secret_key")


def _variable(place: str | int) -> str:
    """A field stands for RAYLM_..., but for those with a name that others have given."""
    name = str(place)
    return name if name.isupper() else f"RAYLM_{name.upper()}"


def _kept_secret(path: Path) -> bytes:
    """Linked into place, so that of two processes starting together both read the same one."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            pass  # another process was first; its secret is the one
        finally:
            draft.unlink()
    return path.read_bytes().strip()
