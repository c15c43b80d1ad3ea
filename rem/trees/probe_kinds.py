"""The probes of a network's routing: what each is called, and how its results are kept.

What is done, by probe and setting:
    temperature: c = softmax_j(b_ij / tau), for every tau of `TAUS`; 1 is the network as it is;
    intervention: in place of c
        `uniform`: 1/J;
        `class-mean`: for each class j its mean column over the training images predicted as j, so a static tree;
        `modal-key`: in its place the most frequent key of those images, at K;
        `overall-mean`: the mean over all training images;
        `same-class`, `other-class`: the couplings of the image before that was predicted as the same class, or as
        another one, drawn by lot; before the first such image, of the last training image;
        `one-hot`: every capsule to the class that it is coupled to most;
    deletion: without `DELETED` of the primary capsules: those coupled most to the predicted class (`strongest`), any
        (`random`), or those that agree most with it when c = 1/J, by |v_j . W_ij u_i| (`agreeing`);
    iterations: t of the routing, at test time;
    key: of the images whose key so many training images have (`FREQUENCIES`), at K;
    stability: nothing; untrained: the network before its first step of training, on one batch.

Imported by what reads those results too, so it loads nothing heavy.
"""

import math

COLUMNS = ["dataset", "variant", "seed", "checkpoint", "split", "probe", "setting", "levels", "metric", "value"]
UNCHANGED = ("temperature", "1")
UNIFORM = ("temperature", "inf")
TAUS = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0, 5.0, 10.0, math.inf)
INTERVENTIONS = ("uniform", "class-mean", "modal-key", "overall-mean", "same-class", "other-class", "one-hot")
DELETIONS = ("strongest", "agreeing", "random")
DELETED = 0.2  # of the primary capsules
ITERATIONS = (1, 2, 3, 5)
FREQUENCIES = {"0": 0, "1": 1, "2 to 9": 9, "10 or more": math.inf}  # the most training images

Setting = tuple[str, str, int | None]  # probe, setting, K
