"""The pages of an account: signing in, signing up, settings."""

from playwright.sync_api import Locator, Page, expect

from tests.apps.gateway.harness import PASSWORD, new_email


class AccountPage:
    def __init__(self, page: Page) -> None:
        self.page = page
        self.user_email = page.get_by_test_id("user-email")
        self.user_button = page.get_by_test_id("user-nav-button")
        self.menu = page.get_by_test_id("user-nav-menu")
        self.auth_item = page.get_by_test_id("user-nav-item-auth")
        self.toast = page.get_by_test_id("toast")

    def fill(self, email: str, password: str = PASSWORD) -> None:
        self.page.get_by_label("Email").fill(email)
        self.page.get_by_label("Password").fill(password)

    def register(self, email: str | None = None) -> str:
        email = email or new_email()
        self.page.goto("/register")
        self.fill(email)
        self.page.get_by_role("button", name="Sign up").click()
        expect(self.toast).to_contain_text("Account created successfully!")
        self.page.wait_for_url("**/")
        return email

    def arrive_registered(self, path: str) -> str:
        """Without the form."""
        email = new_email()
        data = {"email": email, "password": PASSWORD}
        assert self.page.request.post("/api/auth/register", data=data).ok
        self.page.goto(path)
        return email

    def log_in(self, email: str, password: str = PASSWORD) -> None:
        self.page.goto("/login")
        self.fill(email, password)
        self.page.get_by_role("button", name="Sign in").click()

    def sign_out(self) -> None:
        self.user_button.click()
        self.auth_item.click()
        expect(self.user_email).to_have_text("Guest")

    def section(self, name: str) -> Locator:
        return self.page.get_by_role("region", name=name)
