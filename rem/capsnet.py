"""The Capsule Network of Sabour et al. (2017) with dynamic routing: Eq. 1 to 5 of the paper.

Shapes: B images, I primary capsules of P dimensions, J classes with capsules of D dimensions. Inside the
routing the class comes first, (J, B, ...), so that a class's share of every step is one matrix product, and the
primary capsules come last, (B, P, I), so that what is done to each of them runs along memory.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable

from rem.backbone import Backbone
from rem.decoder import Decoder
from rem.files import RemError
from rem.quantize import nearest, quantize
from rem.settings import Network

KERNEL = 9  # side of both convolutions
STRIDE = 2  # of the second one
FLOATS_AT_ONCE = 2**20  # of intermediate results in the routing
EPSILON = 1e-6  # inside the squash's norm, so that its gradient exists at zero


def squash(s: Tensor) -> Tensor:
    """Eq. 3: v = |s|^2 / (1 + |s|^2) * s / |s| over the last dimension, with |s| = sqrt(s.s + 1e-6) below."""
    square = s.square().sum(dim=-1, keepdim=True)
    return square / (1 + square) * s / (square + EPSILON).sqrt()


def votes(weight: Tensor, poses: Tensor) -> Tensor:
    """Eq. 1: u_{j|i} = W_ij u_i.

    Args:
        weight: (I, J, D, P), the transformation matrices W_ij.
        poses: (B, I, P), the primary capsules u_i.

    Returns:
        (B, J, I, D).
    """
    capsules, classes, dimensions, _ = weight.shape
    products = torch.bmm(poses.transpose(0, 1), weight.flatten(1, 2).transpose(1, 2))  # (I, B, J*D)
    return products.view(capsules, -1, classes, dimensions).permute(1, 2, 0, 3).contiguous()  # (B, J, I, D)


def coupling(logits: Tensor) -> Tensor:
    """Eq. 4: c_ij = exp(b_ij) / sum_k exp(b_ik), a softmax over the classes j; (J, B, I) to (J, B, I)."""
    return logits.softmax(dim=0)


def weighted_votes(couplings: Tensor, weight: Tensor, poses: Tensor) -> Tensor:
    """Eq. 1 and 2: s_j = sum_i c_ij W_ij u_i, as one matrix product a class, which never holds the votes.

    Args:
        couplings: (J, B, I).
        weight: (J, P*I, D), W_ij laid out by class.
        poses: (B, P, I), the primary capsules u_i.

    Returns:
        (J, B, D).
    """
    s = [
        torch.bmm(_weighted(couplings[classes], poses).flatten(2), weight[classes])  # (G, B, P*I) @ (G, P*I, D)
        for classes in _groups(len(weight), poses)
    ]
    return torch.cat(s)


def agreement(weight: Tensor, poses: Tensor, class_poses: Tensor) -> Tensor:
    """The a_ij = v_j . W_ij u_i that Eq. 5 adds to the logits: (J, P*I, D), (B, P, I), (J, B, D) to (J, B, I)."""
    a = [
        _seen(class_poses[classes], weight[classes], poses).mul_(poses).sum(dim=2)  # (W_ij^T v_j) . u_i
        for classes in _groups(len(weight), poses)
    ]
    return torch.cat(a)


def _groups(classes: int, poses: Tensor) -> Iterator[slice]:
    """The classes, so many at a time that what is held per class and pose stays in a core's cache."""
    size = max(1, FLOATS_AT_ONCE // poses.numel())
    return (slice(start, start + size) for start in range(0, classes, size))


def _weighted(couplings: Tensor, poses: Tensor) -> Tensor:
    """c_ij u_i: (G, B, I) and (B, P, I) to (G, B, P, I)."""
    return couplings.unsqueeze(2) * poses


def _seen(class_poses: Tensor, weight: Tensor, poses: Tensor) -> Tensor:
    """W_ij^T v_j: (G, B, D) @ (G, D, P*I) to (G, B, P, I), the shape of the `poses` for G classes."""
    return torch.bmm(class_poses, weight.transpose(1, 2)).view(-1, *poses.shape)


class WeightedVotes(torch.autograd.Function):
    """`weighted_votes` with the couplings as constants: its gradient computes c_ij u_i anew, and so stores nothing."""

    @staticmethod
    def forward(ctx: FunctionCtx, couplings: Tensor, weight: Tensor, poses: Tensor) -> Tensor:
        """Eq. 1 and 2."""
        ctx.save_for_backward(couplings, weight, poses)
        return weighted_votes(couplings, weight, poses)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[None, Tensor, Tensor]:
        """From dL/ds_j (J, B, D): dL/dW_ij = c_ij dL/ds_j u_i^T and dL/du_i = sum_j c_ij W_ij^T dL/ds_j."""
        couplings, weight, poses = ctx.saved_tensors
        weight_gradient, poses_gradient = torch.empty_like(weight), torch.zeros_like(poses)
        for classes in _groups(len(weight), poses):
            weighted = _weighted(couplings[classes], poses).flatten(2)  # (G, B, P*I)
            weight_gradient[classes] = torch.bmm(weighted.transpose(1, 2), gradient[classes])  # (G, P*I, D)
            seen = _seen(gradient[classes], weight[classes], poses)  # (G, B, P, I)
            poses_gradient += seen.mul_(couplings[classes].unsqueeze(2)).sum(dim=0)
        return None, weight_gradient, poses_gradient


def route(
    weight: Tensor, poses: Tensor, bias: Tensor, iterations: int, levels: int | None = None
) -> tuple[Tensor, Tensor]:
    """Dynamic routing: Eq. 1 to 5, iterated.

    Gradients flow through the last iteration only, with its couplings as constants: the paper's
    protocol detaches the votes from all iterations before.

    Args:
        weight: (I, J, D, P), the transformation matrices W_ij.
        poses: (B, I, P), the primary capsules u_i.
        bias: (J, D), the trainable routing bias, added to s_j in every iteration.
        iterations: t.
        levels: K, to quantize the couplings of the last iteration (Eq. 7); None leaves them.

    Returns:
        The class capsules v (B, J, D), and the couplings c (B, J, I) of the last iteration
        before any quantization.
    """
    weight = weight.permute(1, 3, 0, 2).flatten(1, 2)  # (J, P*I, D)
    poses = poses.transpose(1, 2).contiguous()  # (B, P, I)
    bias = bias.unsqueeze(1)  # (J, 1, D)
    with torch.no_grad():
        logits = poses.new_zeros(len(weight), len(poses), poses.shape[2])  # (J, B, I)
        for _ in range(iterations - 1):
            s = weighted_votes(coupling(logits), weight, poses)  # (J, B, D)
            logits += agreement(weight, poses, squash(s + bias))  # Eq. 5
        couplings = coupling(logits)
    used = couplings if levels is None else quantize(couplings, levels)
    s = WeightedVotes.apply(used, weight, poses)
    return squash(s + bias).transpose(0, 1), couplings.transpose(0, 1)


def quantized_poses(couplings: Tensor, votes: Tensor, bias: Tensor, levels: Tensor) -> Tensor:
    """The class capsules v_j with the couplings of the last iteration quantized at many K (Eq. 7, 2, 3) at once.

    Here the votes are held, for they serve all K. Images go one at a time, so that an image's indices at all K stay in
    a core's cache; they weigh the votes, and the sum is divided by K - 1, for s_j is linear in the couplings.

    Args:
        couplings: (B, J, I), of `route`.
        votes: (B, J, I, D), of `votes`.
        bias: (J, D).
        levels: (L,), the K.

    Returns:
        (L, B, J, D).
    """
    levels = levels.view(-1, 1)  # (L, 1)
    s = [
        torch.bmm(nearest(own.unsqueeze(1), levels), seen) / (levels - 1)  # (J, L, I) @ (J, I, D) -> (J, L, D)
        for own, seen in zip(couplings, votes, strict=True)
    ]
    return squash(torch.stack(s) + bias.unsqueeze(1)).movedim(2, 0)  # (B, J, L, D) -> (L, B, J, D)


class CapsNet(nn.Module):
    """Conv 9x9, PrimaryCaps (conv 9x9 of stride 2), class capsules by routing (paper, Figure 2).

    Where the settings have a backbone it takes the first convolution's place: `convolution` is None then, else
    `backbone` is. Primary capsule i is (type, row, column), the column fastest; channel type * P + p of the second
    convolution holds dimension p of the capsules of that type.

    Args:
        network: the layers' sizes.
        channels: of the images.
        size: side of the images in pixels.
        classes: J.
        hidden: sizes of the decoder's hidden layers; None: `decoder` is None.

    Raises:
        RemError: the images are too small for the two convolutions, or for the backbone.
    """

    def __init__(
        self, network: Network, channels: int, size: int, classes: int, hidden: Sequence[int] | None = None
    ) -> None:
        super().__init__()
        self.iterations = network.routing_iterations
        self.dimensions = network.primary_dimensions
        self.backbone = self.convolution = self.decoder = None
        if network.backbone:
            self.backbone = Backbone(network.weights == "pretrained", network.input_size)
            features, side = self.backbone.channels, self.backbone.side(size)
        else:
            features, side = network.convolution_channels, size - KERNEL + 1
            if side < KERNEL:
                raise RemError(
                    f"images of {size} pixels are too small for two 9x9 convolutions; data.size must be >= 17."
                )
            self.convolution = nn.Conv2d(channels, features, KERNEL)
        self.primary = nn.Conv2d(features, network.primary_types * self.dimensions, KERNEL, stride=STRIDE)
        capsules = network.primary_types * ((side - KERNEL) // STRIDE + 1) ** 2
        self.weight = nn.Parameter(torch.randn(capsules, classes, network.class_dimensions, self.dimensions) * 0.1)
        self.routing_bias = nn.Parameter(torch.full((classes, network.class_dimensions), 0.1))
        if hidden is not None:  # last: the other weights are drawn as without it
            self.decoder = Decoder(classes, network.class_dimensions, hidden, channels, size)

    def stem(self, images: Tensor) -> Tensor:
        """What no pruning changes: the backbone's features, or the images (B, C, S, S) themselves."""
        return self.backbone(images) if self.backbone else images

    def primary_capsules(self, stem: Tensor) -> Tensor:
        """The squashed poses u_i: what `stem` returns to (B, I, P)."""
        features = stem if self.backbone else torch.relu_(self.convolution(stem))
        features = self.primary(features).to(self.weight.dtype)  # (B, T*P, M, N); lower under autocast
        grouped = features.unflatten(1, (-1, self.dimensions))  # (B, T, P, M, N)
        return squash(grouped.movedim(2, -1).flatten(1, 3))  # (B, I, P)

    def forward(self, images: Tensor, levels: int | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Route a batch (B, C, S, S); returns what `head` returns."""
        return self.head(self.stem(images), levels)

    def head(self, stem: Tensor, levels: int | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Route a batch from what `stem` returns; under autocast too the routing is in the weights' precision.

        Returns:
            The lengths |v_j| (B, J), the poses v_j (B, J, D) and the couplings c_ij (B, J, I) of the
            last iteration, which `levels` quantizes for the poses but not in what is returned.
        """
        primary = self.primary_capsules(stem)
        with torch.autocast(primary.device.type, enabled=False):
            poses, couplings = route(self.weight, primary, self.routing_bias, self.iterations, levels)
        return torch.linalg.vector_norm(poses, dim=-1), poses, couplings
