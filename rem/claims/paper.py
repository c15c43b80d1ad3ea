"""The paper's claims: what decides them, their findings as a table and back, and in words."""

from collections.abc import Callable
from dataclasses import dataclass

from rem.claims import evidence, otherwise, worth
from rem.claims.evidence import Evidence
from rem.claims.findings import Finding, corrected


@dataclass(frozen=True)
class Claim:
    """A claim: where the paper makes it, its words, what decides it here, by which function, and what that needs.

    Some are questions of our own, which those words raise; their section says so.
    """

    name: str
    section: str
    sentence: str
    measurement: str
    decide: Callable[[Evidence], list[Finding]]
    needs: str

    def findings(self, found: Evidence) -> list[Finding]:
        """What was found about it, its verdicts corrected for their number."""
        return corrected(self.decide(found))


MAIN = "run `baseline` and `rem` on the main dataset"
PROBES = "probe `baseline` and `rem` (`probed`)"
OTHERS = "run `baseline` and `rem` on a further dataset"
TREES = "run the experiment `trees` of `config/networks.yaml`, whose own claims.md decides it"
STRUCTURED = "run the experiment `structured` of `config/networks.yaml`, whose own claims.md decides it"
CONTROLS = "run `snakemake controls`, whose own claims.md decides it"
CLAIMS = (
    Claim(
        "entropy rises from the first epoch to the best",
        "3.1, Table 2",
        "a well trained CapsNet achieves higher generalization but its entropy is getting higher",
        "entropy, best epoch against first, CapsNet+Q: rises",
        evidence.rises_in_training,
        "run `baseline` on the main dataset",
    ),
    Claim(
        "one iteration of routing has no entropy and costs no accuracy",
        "3.1",
        "This effect is almost the same when we train a CapsNet with t = 1 as Gu et al. [3], where its entropy is "
        "exactly zero but capsules are uniformly coupled",
        "networks trained and tested with t = 1: entropy of 0; their accuracy against CapsNet+Q, and that of both "
        "unquantized: no loss",
        otherwise.needs_no_iterations,
        "run `baseline` and `one-iteration`",
    ),
    Claim(
        "an untrained network couples uniformly",
        "3.2, Eq. 11",
        "Let us evaluate the c_ij over a non-yet trained model: as we saw also in Section 3.1, we have c_ij ≈ 1/J "
        "∀ i, j",
        "mean max_j c before the first step of training: at most a tenth above 1/J",
        worth.untrained_is_uniform,
        PROBES,
    ),
    Claim(
        "more iterations polarize the couplings",
        "2",
        "the routing algorithms tends to overly polarize the link strengths",
        "polarization of CapsNet's couplings with t = 3 against 2 and 5 against 3, at test time: rises",
        worth.iterations_polarize,
        PROBES,
    ),
    Claim(
        "static parse trees cost no accuracy",
        "abstract",
        "We also generate static parse trees with no performance loss",
        "accuracy of the pruned network with each class's mean couplings of the training images in place of routing, "
        "against its own: no loss",
        worth.static_trees_cost_nothing,
        PROBES,
    ),
    Claim(
        "REM does better than a temperature",
        "our question on the abstract",
        "REM, a technique which minimizes the entropy of the parse tree-like structure, improving its explainability",
        "accuracy of the pruned network against the unpruned one at the temperature at which its entropy is the same: "
        "higher",
        worth.better_than_a_temperature,
        PROBES,
    ),
    Claim(
        "trees are more than random",
        "our question on the abstract",
        "with REM, Capsule Networks build stronger relationships between capsules",
        "accuracy of networks whose connections were learned against as many that were drawn by lot before training, "
        "all else alike: higher",
        worth.better_than_random_trees,
        TREES,
    ),
    Claim(
        "pruning connections strengthens the couplings at no loss",
        "our question on 5",
        "the design of a pruning technique specifically-designed for REM",
        "mean max_j c of networks with a part of their connections against all of them, all else alike: rises; "
        "accuracy: no loss",
        worth.connections_strengthen,
        TREES,
    ),
    Claim(
        "removing types and channels beats starting small",
        "our question on 1",
        "many pruning methods were applied to CNNs in order to reduce the complexity of the networks",
        "accuracy of networks from which whole types and channels were removed, against networks that had as few from "
        "the start: higher",
        worth.removing_beats_a_smaller_network,
        STRUCTURED,
    ),
    Claim(
        "pruning costs no accuracy",
        "4.1, Table 4",
        "there is no performance loss when pruning a CapsNet, even when REM is applied with its quantization levels",
        "accuracy of REM against CapsNet+Q, and of both unquantized: no loss",
        evidence.costs_nothing,
        MAIN,
    ),
    Claim(
        "pruning costs no accuracy on other datasets",
        "4.2, Table 6",
        "a CapsNet+REM has an high percentage of pruned parameters with a minimal performance loss",
        "accuracy of REM against CapsNet+Q on other datasets, and of both unquantized: no loss",
        evidence.costs_nothing_elsewhere,
        OTHERS,
    ),
    Claim(
        "keys become fewer",
        "4.1, Table 5",
        "the dimension of the dictionary for CapsNets+REM is lower than the one for CapsNets+Q",
        "keys of all classes, REM against CapsNet+Q: fall",
        evidence.keys_fall,
        MAIN,
    ),
    Claim(
        "entropy falls",
        "4.1, Table 5",
        "the entropy measure for CapsNets+REM is lower compared to CapsNets+Q",
        "entropy, REM against CapsNet+Q: falls",
        evidence.entropy_falls,
        MAIN,
    ),
    Claim(
        "entropy and keys fall on other datasets",
        "5, Table 6",
        "pruning methods, in low pruning regimes, naturally reduce such entropy as well as the cardinality over the "
        "possible parse trees",
        "entropy and keys on other datasets, REM against CapsNet+Q: fall",
        evidence.both_fall_elsewhere,
        OTHERS,
    ),
    Claim(
        "couplings become stronger",
        "4.1, Figure 6",
        "the distributions of the CapsNet+REM model are sparser that the ones for the CapsNet+Q model, namely we carve "
        "a stronger parse tree",
        "mean max_j c rises and the share of couplings in the level of 1/J falls, REM against CapsNet+Q",
        evidence.couplings_strengthen,
        MAIN,
    ),
    Claim(
        "entropy falls late in training",
        "4.1, Figure 5",
        "at the end of the training process REM lowers the entropy of the network",
        "straight line through the entropies of the later half of the epochs of one pruned run: falls",
        otherwise.falls_late,
        "select the run that the config's `figures` names, of variant `rem`",
    ),
    Claim(
        "entropy falls less on CIFAR10 and Tiny ImageNet",
        "4.2, Table 6",
        "for the other datasets the differences between the two approaches is less evident",
        "fall of entropy in % of CapsNet+Q's, against that on Fashion-MNIST, at equal doses: smaller",
        otherwise.less_evident,
        "run `baseline` and `rem` on what stands for fashion-mnist, and on what does for cifar10 or tiny-imagenet",
    ),
    Claim(
        "an under-trained REM is robust to affine maps",
        "4.2, Table 7",
        "the under-trained CapsNet+REM can be robust to affine transformations and have a low entropy",
        "on the transfer set at the early checkpoint, REM against CapsNet+Q: accuracy rises, entropy falls",
        otherwise.robust_when_undertrained,
        "run `baseline` and `rem` on a dataset with a transfer set",
    ),
    Claim(
        "a decoder undoes the fall of entropy",
        "4.3",
        "the entropy of a CapsNets+REM is almost the same as that of a CapsNet+Q",
        "entropy of REM trained with a decoder against CapsNet+Q without: the same",
        evidence.decoder_undoes,
        "run `baseline`, and `rem` with a decoder",
    ),
    Claim(
        "the frozen encoder stays equivariant",
        "4.3, Figure 8",
        "the output capsules are still equivariant to many transformations",
        "dimensions of REM's poses that move the image one way: more than by chance, no less consistently than "
        "CapsNet+Q's",
        otherwise.stays_equivariant,
        "measure equivariance of `baseline` and `rem`",
    ),
    Claim(
        "zero votes pin the couplings",
        "3.2, Eq. 15",
        "enforcing a vote between the i-th primary capsule and the j-th output caps to be exactly zero for any input",
        "share of wholly zero W_ij blocks of REM's networks",
        otherwise.blocks_vanish,
        MAIN,
    ),
    Claim(
        "pruning is what lowers the entropy",
        "1",
        "Pruning can effectively reduce the overall entropy of the connections of the parse tree-like structure",
        "entropy of magnitude pruning to REM's sparsity, without the penalty, against CapsNet+Q: falls",
        evidence.pruning_lowers,
        CONTROLS,
    ),
    Claim(
        "zero weights lower the entropy, not the penalty",
        "1",
        "in low pruning regimes it removes noisy couplings which cause the entropy to increase considerably",
        "entropy of REM against its penalty alone, which prunes nothing: lower at all",
        evidence.zeros_are_needed,
        CONTROLS,
    ),
    Claim(
        "sparse W_ij lower the entropy",
        "3.2",
        "one efficient solution relies in enforcing sparsity in the W_ij representation",
        "entropy of REM on the W_ij alone against CapsNet+Q: falls",
        evidence.votes_suffice,
        CONTROLS,
    ),
)
