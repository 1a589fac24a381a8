"""What a kind of user may do, and how often anybody may try to become one."""

from dataclasses import dataclass

from raylm_apps.gateway.accounts.session import Session
from raylm_apps.gateway.limits import Claim, Limit
from raylm_apps.gateway.settings import Settings
from raylm_apps.gateway.slots import Room

HOUR_S = 3600.0
SIGN_IN_WINDOW_S = 900.0


@dataclass(frozen=True)
class Entitlements:
    """An address has limits of its own, because guests are free; so has each API key."""

    settings: Settings

    def message(self, session: Session, address: str) -> tuple[Claim, ...]:
        if session.key_id is not None:
            most = self.settings.messages_per_hour_of_key
            return (Limit("messages-of-key", most, HOUR_S, "rate_limit:chat").of(session.key_id),)
        by_user = Limit("messages", self._messages_per_hour(session), HOUR_S, "rate_limit:chat")
        by_address = Limit(
            "messages-from", self.settings.messages_per_hour_from_address, HOUR_S, "rate_limit:chat"
        )
        return by_user.of(session.user_id), by_address.of(address)

    def answers_at_once(self, session: Session, address: str) -> tuple[Room, ...]:
        settings = self.settings
        if session.key_id is not None:
            return (Room(f"key:{session.key_id}", settings.max_answers_per_key),)
        most = settings.max_answers_per_user
        if session.type == "admin":
            most = max(most, settings.max_answers_per_admin)
        return (
            Room(f"user:{session.user_id}", most),
            Room(f"address:{address}", settings.max_answers_from_address),
        )

    def readers_at_once(self, session: Session, address: str) -> tuple[Room, ...]:
        settings = self.settings
        return (
            Room(f"user:{session.user_id}", settings.max_readers_per_user),
            Room(f"address:{address}", settings.max_readers_from_address),
        )

    def guest(self, address: str) -> Claim:
        most = self.settings.guests_per_hour_from_address
        return Limit("guests", most, HOUR_S, "rate_limit:auth").of(address)

    def registration(self, address: str) -> Claim:
        most = self.settings.registrations_per_hour_from_address
        return Limit("registrations", most, HOUR_S, "rate_limit:auth").of(address)

    def login_from(self, address: str) -> Claim:
        most = self.settings.logins_from_address
        return Limit("logins-from", most, SIGN_IN_WINDOW_S, "rate_limit:auth").of(address)

    def login_to(self, email: str) -> Claim:
        """Whether or not there is such an account."""
        most = self.settings.logins_per_account
        return Limit("logins-to", most, SIGN_IN_WINDOW_S, "rate_limit:auth").of(email)

    def mail_from(self, address: str) -> Claim:
        most = self.settings.mails_per_hour_from_address
        return Limit("mails-from", most, HOUR_S, "rate_limit:auth").of(address)

    def mail_to(self, email: str) -> Claim:
        """Whether or not there is such an account."""
        most = self.settings.mails_per_hour_to_account
        return Limit("mails-to", most, HOUR_S, "rate_limit:auth").of(email)

    def _messages_per_hour(self, session: Session) -> int:
        settings = self.settings
        match session.type:
            case "guest":
                return settings.guest_messages_per_hour
            case "regular":
                return settings.messages_per_hour
            case "admin":
                return settings.admin_messages_per_hour
