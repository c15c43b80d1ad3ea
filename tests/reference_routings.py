"""The routings of other papers, read slowly: float64 Python loops over one image, to test the package against.

As in `reference.py`, nothing is shared with the package. Poses u are [i][p], matrices W [i][j][d][p], couplings [j][i].
Each function returns lengths, poses and couplings; `used` replaces the last couplings, as a quantizer does.
"""

import math

import numpy as np
import reference


def softmax(logits):
    """Over the classes of one capsule."""
    total = sum(math.exp(b - max(logits)) for b in logits)
    return [math.exp(b - max(logits)) / total for b in logits]


def of_capsules(capsules, classes, logits_of):
    """c[j][i], where `logits_of(i)` are the logits of capsule i."""
    couplings = np.zeros((classes, capsules))
    for i in range(capsules):
        couplings[:, i] = softmax(logits_of(i))
    return couplings


def uniform(u, parameters, iterations, used=None):
    """c_ij = 1/J, and Eq. 1 to 3 around it."""
    weight, bias = parameters["weight"], parameters["routing_bias"]
    couplings = np.full((weight.shape[1], weight.shape[0]), 1 / weight.shape[1])
    poses = reference.output_poses(reference.votes(weight, u), bias, couplings if used is None else used)
    return [reference.length(v) for v in poses], poses, couplings


def sda(u, parameters, iterations, used=None):
    """Peer et al.: votes no longer than their capsule, couplings by scaled distances."""
    weight, bias = parameters["weight"], parameters["routing_bias"]
    capsules, classes = weight.shape[:2]
    votes = reference.votes(weight, u)
    for j in range(classes):
        for i in range(capsules):
            longest, length = reference.length(u[i]), reference.length(votes[j, i])
            if length > longest:
                votes[j, i] *= longest / length
    couplings = np.full((classes, capsules), 1 / classes)
    for _ in range(iterations - 1):
        poses = reference.output_poses(votes, bias, couplings)

        def logits(i, poses=poses):
            distances = [reference.length(poses[j] - votes[j, i]) for j in range(classes)]
            mean = sum(distances) / classes
            t = (math.log(0.9 * (classes - 1)) - math.log(1 - 0.9)) / (-0.5 * mean)
            return [t * distance for distance in distances]

        couplings = of_capsules(capsules, classes, logits)
    poses = reference.output_poses(votes, bias, couplings if used is None else used)
    return [reference.length(v) for v in poses], poses, couplings


def em(u, parameters, iterations, used=None):
    """Hinton et al. (2018): Gaussians fitted to the votes, costs by shares; a capsule is as active as it is long."""
    weight, beta_u, beta_a = (parameters[name] for name in ("weight", "routing_beta_u", "routing_beta_a"))
    capsules, classes, dimensions = weight.shape[:3]
    votes, active = reference.votes(weight, u), [reference.length(pose) for pose in u]

    def maximize(c, inverse):
        found, given = [], sum(c[j][i] * active[i] for j in range(classes) for i in range(capsules))
        for j in range(classes):
            r = [c[j][i] * active[i] for i in range(capsules)]
            total = sum(r)
            mean, variance, cost = [], [], 0.0
            for d in range(dimensions):
                mean.append(sum(r[i] * votes[j, i, d] for i in range(capsules)) / total)
                spread = sum(r[i] * (votes[j, i, d] - mean[d]) ** 2 for i in range(capsules)) / total
                variance.append(spread + 1e-6)
                cost += (beta_u[j] + math.log(math.sqrt(variance[d]))) * total / given
            found.append((mean, variance, 1 / (1 + math.exp(-inverse * (beta_a[j] - cost)))))
        return found

    couplings = np.full((classes, capsules), 1 / classes)
    for t in range(1, iterations):
        gaussians = maximize(couplings, 1 - 0.95**t)
        for i in range(capsules):
            likely = []
            for j, (mean, variance, activation) in enumerate(gaussians):
                density = 1.0
                for d in range(dimensions):
                    density *= math.exp(-((votes[j, i, d] - mean[d]) ** 2) / (2 * variance[d]))
                    density /= math.sqrt(2 * math.pi * variance[d])
                likely.append(activation * density)
            couplings[:, i] = [p / sum(likely) for p in likely]
    last = maximize(couplings if used is None else used, 1 - 0.95**iterations)
    return [a for _, _, a in last], np.array([mean for mean, _, _ in last]), couplings


def self_routing(u, parameters, iterations, used=None):
    """Hahn et al.: each capsule's own softmax; activations and poses are averages over the capsules."""
    weight, bias = parameters["weight"], parameters["routing_bias"]
    capsules, classes, _, inputs = weight.shape
    active = [reference.length(pose) for pose in u]

    def logits(i):
        return [sum(weight[i, j, 0, p] * u[i, p] for p in range(inputs)) + bias[i, j] for j in range(classes)]

    couplings = of_capsules(capsules, classes, logits)
    c = couplings if used is None else used
    lengths, poses = [], np.zeros((classes, inputs))
    for j in range(classes):
        total = sum(c[j, i] * active[i] for i in range(capsules))
        lengths.append(total / sum(active))
        for p in range(inputs):
            poses[j, p] = sum(c[j, i] * active[i] * u[i, p] for i in range(capsules)) / total
    return lengths, poses, couplings


def attention(u, parameters, iterations, used=None):
    """Mazzia et al.: each vote's agreement with all votes for its class, and a prior."""
    weight, prior = parameters["weight"], parameters["routing_prior"]
    capsules, classes, dimensions = weight.shape[:3]
    votes = reference.votes(weight, u)

    def logits(i):
        return [
            sum(sum(votes[j, i, d] * votes[j, k, d] for d in range(dimensions)) for k in range(capsules))
            / math.sqrt(dimensions)
            for j in range(classes)
        ]

    couplings = of_capsules(capsules, classes, logits)
    c = couplings if used is None else used
    poses = np.zeros((classes, dimensions))
    for j in range(classes):
        s = [sum((c[j, i] + prior[j, i]) * votes[j, i, d] for i in range(capsules)) for d in range(dimensions)]
        n = reference.length(s)
        poses[j] = [(1 - math.exp(-n)) * x / n for x in s]
    return [reference.length(v) for v in poses], poses, couplings


def dynamic(u, parameters, iterations, used=None):
    """Sabour et al., as `reference.py` reads it."""
    weight, bias = parameters["weight"], parameters["routing_bias"]
    votes = reference.votes(weight, u)
    found = reference.route(votes, bias, iterations)
    poses = reference.output_poses(votes, bias, found.couplings if used is None else used)
    return [reference.length(v) for v in poses], poses, found.couplings


SLOW = {"attention": attention, "dynamic": dynamic, "em": em, "sda": sda, "self": self_routing, "uniform": uniform}
