"""What OpenAI wants to see again of a thought: which one it was, and the thought, encrypted."""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class ReasoningSignature:
    item_id: str
    encrypted_content: str

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls(*text.partition(":")[::2])

    def __str__(self) -> str:
        return f"{self.item_id}:{self.encrypted_content}"
