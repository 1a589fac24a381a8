"""The paged KV cache's accounts: which blocks are free, and how many sequences hold each."""

from collections import deque
from collections.abc import Iterable


class BlockPool:
    """Invariant: every block is either free or has a positive reference count, never both."""

    def __init__(self, num_blocks: int, block_size: int) -> None:
        self.num_blocks = num_blocks
        self.block_size = block_size
        self._free = deque(range(num_blocks))
        self._references = [0] * num_blocks

    @property
    def free_blocks(self) -> int:
        return len(self._free)

    def blocks_for(self, tokens: int) -> int:
        return -(-tokens // self.block_size)

    def references(self, block: int) -> int:
        return self._references[block]

    def allocate(self, count: int) -> list[int]:
        """`count` blocks with one reference each. ValueError when fewer are free."""
        if count > len(self._free):
            raise ValueError(
                f"{count} blocks asked for, {len(self._free)} of {self.num_blocks} free"
            )
        blocks = [self._free.popleft() for _ in range(count)]
        for block in blocks:
            self._references[block] = 1
        return blocks

    def retain(self, blocks: Iterable[int]) -> None:
        """One more reference to blocks that are in use."""
        for block in blocks:
            if self._references[block] == 0:
                raise ValueError(f"block {block} is free and cannot be shared")
            self._references[block] += 1

    def release(self, blocks: Iterable[int]) -> None:
        """One reference less; at none a block is free again."""
        for block in blocks:
            if self._references[block] == 0:
                raise ValueError(f"block {block} is released twice")
            self._references[block] -= 1
            if self._references[block] == 0:
                self._free.append(block)
