"""Whole channels of the first convolution and whole types of primary capsules: what they weigh, and how they go."""

import torch
from torch import Tensor

from rem.networks.capsnet import CapsNet
from rem.settings.pruning import Structure


@torch.no_grad()
def group_norms(model: CapsNet) -> tuple[Tensor, Tensor]:
    """What each channel and each type weighs: |w_in|_F |w_out|_F, of the weights that lead into it and out of it.

    Into a channel leads its own filter, out of it what the second convolution sees it by; into a type its rows of the
    second convolution, out of it the matrices W_ij of its capsules. A channel that shows a times as much, and is seen
    by 1/a, makes the same network; the norm of all its weights would change, the product does not.

    Returns:
        Of the channels, (F,), and of the types, (T,).
    """
    first, second = model.convolution.weight, model.primary.weight  # (F, C, 9, 9), (T*P, F, 9, 9)
    channels = first.flatten(1).norm(dim=1) * second.transpose(0, 1).flatten(1).norm(dim=1)
    types = second.unflatten(0, (-1, model.dimensions)).flatten(1).norm(dim=1)
    return channels, types * model.weight.view(len(types), -1).norm(dim=1)


class Kept:
    """Which channels and types of a network are left while it is trained, and stay so.

    Args:
        model: without a backbone, `connected`.
        wanted: how many are left in the end.

    Attributes:
        channels: (F,), whether each is left.
        types: (T,), so too.
    """

    def __init__(self, model: CapsNet, wanted: Structure) -> None:
        self.model, self.wanted = model, wanted
        self.channels, self.types = (torch.ones_like(norms, dtype=torch.bool) for norms in group_norms(model))

    def remove(self, epoch: int) -> None:
        """Remove what goes after an epoch, from 0: those of the smallest `group_norms`, each time the same share."""
        if epoch >= self.wanted.epochs:
            return
        left = self.wanted.channels, self.wanted.types
        for kept, norms, end in zip((self.channels, self.types), group_norms(self.model), left, strict=True):
            count = round(len(kept) * (end / len(kept)) ** ((epoch + 1) / self.wanted.epochs))
            kept &= torch.zeros_like(kept).index_fill_(0, norms.masked_fill(~kept, -1).topk(count).indices, True)
        self.apply()

    @torch.no_grad()
    def apply(self) -> None:
        """Set the weights of what is removed to zero; to be called after every optimiser step."""
        model, rows = self.model, self.types.repeat_interleave(self.model.dimensions)  # (T*P,)
        model.convolution.weight.mul_(self.channels[:, None, None, None])
        model.convolution.bias.mul_(self.channels)
        model.primary.weight.mul_(rows[:, None, None, None] & self.channels[None, :, None, None])
        model.primary.bias.mul_(rows)
        capsules, classes = model.weight.shape[:2]
        model.keep(self.types.repeat_interleave(capsules // len(self.types)).unsqueeze(1).expand(-1, classes))
