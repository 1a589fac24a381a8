"""Next-token cross-entropy, as a sum and a count: a mean over ranks must weigh every token."""

from torch import Tensor
from torch.nn import functional as F

from raylm.data.packing import IGNORED


def next_token_loss(logits_BTV: Tensor, targets_BT: Tensor) -> tuple[Tensor, Tensor]:
    """The summed loss in nats, in float32 whatever the logits are, and how many tokens it is of."""
    loss = F.cross_entropy(
        logits_BTV.flatten(0, 1).float(),
        targets_BT.flatten(),
        ignore_index=IGNORED,
        reduction="sum",
    )
    return loss, (targets_BT != IGNORED).sum()
