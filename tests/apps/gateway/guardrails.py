"""Guardrails as an operator writes them."""

from collections.abc import Sequence

from raylm_apps.gateway.providers.guardrails import GuardrailError


class SwearJar:
    """Names are kept from the model, one subject is refused, and no answer says a word."""

    async def question(self, texts: Sequence[str]) -> Sequence[str]:
        if any("bomb" in text for text in texts):
            raise GuardrailError("That is not talked about here.")
        return [text.replace("Ada", "somebody") for text in texts]

    def answer(self) -> "Bleep":
        return Bleep()


class Bleep:
    """A word that is split between two pieces is a word all the same."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, text: str) -> str:
        *whole, self._held = (self._held + text).split(" ")
        if "enough" in whole:
            raise GuardrailError("That is enough.")
        return "".join(word.replace("damn", "****") + " " for word in whole)

    def end(self) -> str:
        rest, self._held = self._held, ""
        return rest.replace("damn", "****")


swear_jar = SwearJar()
