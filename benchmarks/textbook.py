"""A Capsule Network with LOBSTER as one would write it from the papers: what `rem` is measured against.

Votes by broadcast matrix products, routing by elementwise products and sums, torch's own automatic differentiation
and Adam, a threshold search that bisects on the value with full validation passes, keys as joined strings. It
computes the same numbers as `rem`, which the benchmark checks before it measures anything.
"""

import math
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rem.networks.capsnet import CapsNet

Batch = tuple[Tensor, Tensor]


def squash(s: Tensor) -> Tensor:
    """Eq. 3 over the last dimension."""
    square = (s**2).sum(-1, keepdim=True)
    return square / (1 + square) * s / torch.sqrt(square + 1e-6)


def route(weight: Tensor, poses: Tensor, bias: Tensor, iterations: int) -> tuple[Tensor, Tensor]:
    """Eq. 1 to 5: (I, J, D, P), (B, I, P), (J, D) to the class capsules (B, J, D) and the couplings (B, I, J)."""
    votes = (weight[None] @ poses[:, :, None, :, None]).squeeze(-1)  # (B, I, J, D)
    constant = votes.detach()
    logits = poses.new_zeros(*votes.shape[:3], 1)  # (B, I, J, 1)
    for iteration in range(iterations):
        couplings = torch.softmax(logits, dim=2)
        if iteration == iterations - 1:
            return squash((couplings * votes).sum(1) + bias), couplings.squeeze(-1)
        v = squash((couplings * constant).sum(1) + bias.detach())  # (B, J, D)
        logits = logits + (constant * v[:, None]).sum(-1, keepdim=True)
    raise ValueError(f"{iterations} iterations: there must be one at least.")


class TextbookCapsNet(nn.Module):
    """The network of Figure 2, with copies of a `rem` network's weights."""

    def __init__(self, model: CapsNet) -> None:
        super().__init__()
        self.iterations, self.dimensions = model.iterations, model.dimensions
        convolution, primary = model.convolution, model.primary
        self.convolution = nn.Conv2d(convolution.in_channels, convolution.out_channels, 9)
        self.primary = nn.Conv2d(primary.in_channels, primary.out_channels, 9, stride=2)
        self.weight = nn.Parameter(model.weight.detach().clone())
        self.routing_bias = nn.Parameter(model.routing_bias.detach().clone())
        self.load_state_dict(model.state_dict())

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The lengths (B, J) and the couplings (B, I, J)."""
        features = self.primary(torch.relu(self.convolution(images)))  # (B, T*P, M, N)
        batch, channels, rows, columns = features.shape
        features = features.view(batch, channels // self.dimensions, self.dimensions, rows, columns)
        poses = squash(features.permute(0, 1, 3, 4, 2).reshape(batch, -1, self.dimensions))  # (B, I, P)
        v, couplings = route(self.weight, poses, self.routing_bias, self.iterations)
        return v.norm(dim=-1), couplings


def margin_loss(lengths: Tensor, labels: Tensor) -> Tensor:
    """The margin loss of Sabour et al. (2017), averaged over the batch."""
    target = nn.functional.one_hot(labels, lengths.shape[1])
    present = target * torch.clamp(0.9 - lengths, min=0) ** 2
    absent = 0.5 * (1 - target) * torch.clamp(lengths - 0.1, min=0) ** 2
    return (present + absent).sum(1).mean()


class TextbookTraining:
    """Steps of training and pruning, with a mask for every weight that may be pruned."""

    def __init__(self, model: TextbookCapsNet, penalty: float) -> None:
        self.model, self.penalty = model, penalty
        self.optimizer = torch.optim.Adam(model.parameters())
        self.weights = [model.convolution.weight, model.primary.weight, model.weight]
        self.masks = [torch.ones_like(weight) for weight in self.weights]

    def step(self, images: Tensor, labels: Tensor) -> float:
        """Forward, margin loss, backward, LOBSTER (Eq. 16), Adam, masks."""
        loss = margin_loss(self.model(images)[0], labels)
        self.optimizer.zero_grad()
        loss.backward()
        with torch.no_grad():
            for parameter in self.model.parameters():
                parameter -= self.penalty * parameter * torch.relu(1 - torch.abs(parameter.grad))
        self.optimizer.step()
        with torch.no_grad():
            for weight, mask in zip(self.weights, self.masks, strict=True):
                weight *= mask
        return loss.item()

    @torch.no_grad()
    def loss(self, batches: Sequence[Batch]) -> float:
        """The summed margin loss of the validation images."""
        return sum(margin_loss(self.model(images)[0], labels).item() * len(labels) for images, labels in batches)

    @torch.no_grad()
    def search(self, batches: Sequence[Batch]) -> tuple[float, int]:
        """The largest threshold that does not worsen the validation loss, and how many passes it took to find it.

        Bisects on the threshold's value until one weight alone lies between the values that hold and fail.
        """
        saved = [weight.clone() for weight in self.weights]
        kept = [weight[mask > 0].abs() for weight, mask in zip(saved, self.masks, strict=True)]
        magnitudes = torch.cat(kept).unique().double()
        bound, passes = self.loss(batches), 1
        low, high = 0.0, magnitudes.max().item() * 2
        while ((magnitudes >= low) & (magnitudes < high)).sum() > 1:  # weights that only one of the two would prune
            middle = (low + high) / 2
            for weight, before in zip(self.weights, saved, strict=True):
                weight.copy_(torch.where(before.abs() < middle, 0, before))
            passes += 1
            if self.loss(batches) <= bound:
                low = middle
            else:
                high = middle
        for weight, before in zip(self.weights, saved, strict=True):
            weight.copy_(before)
        return low, passes

    @torch.no_grad()
    def prune(self, threshold: float) -> None:
        """Prune every weight of magnitude below the threshold."""
        for weight, mask in zip(self.weights, self.masks, strict=True):
            mask *= weight.abs() >= threshold
            weight *= mask

    def sparsity(self) -> float:
        """Zeros / parameters, as a fraction."""
        zeros = sum((parameter == 0).sum().item() for parameter in self.model.parameters())
        return zeros / sum(parameter.numel() for parameter in self.model.parameters())


def entropy(indices: Tensor, predicted: Tensor, classes: int) -> float:
    """Eq. 8 and 9 of keys (N, I) and the predicted classes (N,), in bits."""
    entropies = []
    for class_ in range(classes):
        keys = ["-".join(str(int(index)) for index in row) for row in indices[predicted == class_]]
        counts, total = Counter(keys).values(), len(keys)
        entropies.append(-sum(count / total * math.log2(count / total) for count in counts))
    return sum(entropies) / classes
