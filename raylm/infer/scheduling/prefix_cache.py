"""Computed blocks, found again by their tokens: a radix tree over whole blocks.

Whoever begins as another did takes its blocks instead of computing them. Blocks that only the
tree holds are as good as free: the least recently used go first, leaves before what they hang on.
"""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from raylm.infer.scheduling.block_pool import BlockPool
from raylm.infer.scheduling.request import Request

Key = tuple[int, ...]  # the tokens of one block


@dataclass(slots=True, eq=False)
class Node:
    """A block, computed from the keys of all nodes from below the root to this one."""

    key: Key
    block: int
    parent: "Node | None"
    depth: int
    number: int = 0
    used: int = 0  # when it was last given back
    queued: bool = False  # among the leaves to evict
    children: dict[Key, "Node"] = field(default_factory=dict)


class PrefixCache:
    """Every block is handed out here and comes back here.

    Invariants: the tree has one reference to each of its blocks, all whole and of known tokens.
    Who holds one of them holds all above it; so below an idle block all are idle, and every idle
    block can be had by evicting leaves.
    """

    def __init__(self, pool: BlockPool, enabled: bool = True) -> None:
        self.pool = pool
        self.enabled = enabled
        self._root = Node(key=(), block=-1, parent=None, depth=0)
        self._held: dict[Request, Node] = {}  # the deepest node each request holds
        self._promised: dict[Request, tuple[Node, Key]] = {}  # the next block of its prompt
        self._computing: dict[tuple[Node, Key], Request] = {}
        self._leaves: list[tuple[int, int, Node]] = []  # a heap, by last use and then by age
        self._idle_blocks = 0  # those that only the tree holds
        self._numbers = 0
        self._clock = 0

    @property
    def free_blocks(self) -> int:
        return self.pool.free_blocks + self._idle_blocks

    def free_beside(self, nodes: Sequence[Node]) -> int:
        """Blocks that are free for who takes `nodes` as well."""
        return self.free_blocks - sum(self.pool.references(node.block) == 1 for node in nodes)

    def allocate(self, count: int) -> list[int]:
        """`count` blocks of the request's own. ValueError, and nothing evicted, for too many."""
        if count <= self.free_blocks:
            self._evict(count - self.pool.free_blocks)
        return self.pool.allocate(count)

    def match(self, request: Request) -> list[Node] | None:
        """The longest known beginning, short of the last token, whose logits are needed.

        None while another request of no lower priority computes the block that comes next. Of who
        is pooled every token is to be computed.
        """
        if request.pooled:
            return []
        nodes: list[Node] = []
        node = self._root
        while node.depth < (len(request.token_ids) - 1) // self.pool.block_size:
            key = self._key(request, node.depth)
            if (child := node.children.get(key)) is None:
                other = self._computing.get((node, key))
                return None if other and other.priority >= request.priority else nodes
            nodes.append(node := child)
        return nodes

    def take(self, request: Request, nodes: Sequence[Node]) -> None:
        """Give the request, which has no blocks yet, those of `nodes`."""
        self._idle_blocks -= sum(self.pool.references(node.block) == 1 for node in nodes)
        request.blocks = [node.block for node in nodes]
        self.pool.retain(request.blocks)
        request.computed_length = len(nodes) * self.pool.block_size
        if self.enabled:
            self._held[request] = nodes[-1] if nodes else self._root
            self._publish(request)

    def publish(self) -> None:
        """Let others find what has been computed of prompts."""
        for request in list(self._promised):
            self._publish(request)

    def release(self, request: Request) -> None:
        """Take its blocks back; those worth finding again stay in the tree."""
        self._withdraw(request)
        kept = self._keep(request) if self._held.pop(request, None) else 0
        self.pool.release(request.blocks[kept:])
        request.blocks = []
        request.computed_length = 0

    def clear(self) -> None:
        """Forget everything, as new weights demand. Requests that run go on with their blocks,
        and nobody will find those."""
        for node in self.nodes():
            self.pool.release([node.block])
        self._root.children.clear()
        self._held.clear()
        self._promised.clear()
        self._computing.clear()
        self._leaves.clear()
        self._idle_blocks = 0

    def nodes(self) -> Iterator[Node]:
        """All but the root, parents first."""
        ahead = list(self._root.children.values())
        while ahead:
            node = ahead.pop()
            ahead += node.children.values()
            yield node

    def _publish(self, request: Request) -> None:
        self._withdraw(request)
        node = self._held[request]
        computed = min(request.computed_length, request.prompt_length) // self.pool.block_size
        while node.depth < request.prompt_length // self.pool.block_size:
            key = self._key(request, node.depth)
            if key in node.children:  # somebody was faster: blocks in use are never exchanged
                return
            if node.depth == computed:
                self._promised[request] = (node, key)
                self._computing[node, key] = request
                return
            block = request.blocks[node.depth]
            self.pool.retain([block])
            self._held[request] = node = self._add(node, key, block)

    def _withdraw(self, request: Request) -> None:
        promise = self._promised.pop(request, None)
        if promise and self._computing.get(promise) is request:
            del self._computing[promise]

    def _keep(self, request: Request) -> int:
        """Leave its whole blocks of known tokens to the tree, and say how many those are."""
        self._clock += 1
        known = min(request.computed_length, request.known_length)
        node = self._root
        for block in request.blocks[: known // self.pool.block_size]:
            key = self._key(request, node.depth)
            if (child := node.children.get(key)) is None:
                child = self._add(node, key, block)  # with the request's reference
                self._idle_blocks += 1
            else:
                self.pool.release([block])
                if block == child.block and self.pool.references(block) == 1:
                    self._idle_blocks += 1
            node = child
            node.used = self._clock
        self._queue(node)
        return node.depth

    def _add(self, parent: Node, key: Key, block: int) -> Node:
        self._numbers += 1
        node = Node(key, block, parent, parent.depth + 1, self._numbers, self._clock)
        parent.children[key] = node
        return node

    def _evict(self, count: int) -> None:
        while count > 0:
            used, _, node = heapq.heappop(self._leaves)
            node.queued = False
            if node.children or self.pool.references(node.block) > 1:
                continue  # it is queued again as soon as it is an idle leaf
            if node.used > used:
                self._queue(node)
                continue
            assert node.parent is not None
            del node.parent.children[node.key]
            self.pool.release([node.block])
            self._idle_blocks -= 1
            self._queue(node.parent)
            count -= 1

    def _queue(self, node: Node) -> None:
        if node.parent is not None and not node.children and not node.queued:
            node.queued = True
            heapq.heappush(self._leaves, (node.used, node.number, node))

    def _key(self, request: Request, place: int) -> Key:
        start = place * self.pool.block_size
        return tuple(request.token_ids[start : start + self.pool.block_size])
