"""The rules that decide a claim, and how they are worded."""

from collections.abc import Callable

from rem.tables.probes import MARGIN

HOLDS, FAILS, UNDECIDED, MISSING = "holds", "does not hold", "not decidable at this scale", "not measured"
ALPHA = 0.05  # the chance of any wrong verdict among the findings that decide a claim
# A smaller difference counts as none: points, bits, 1.
MARGINS = {"accuracy": MARGIN, "entropy": 0.5, "band_entropy": 0.5, "consistency": 0.1}
ZERO_BLOCKS = 1.0  # % of the W_ij that must be wholly zero before Eq. 15 can explain anything
BY_CHANCE = 5.0  # % of the dimensions whose consistency exceeds `chance` if none means anything
NEAR_CEILING = 0.1  # bits below log2 n within which an entropy says only that nearly every image has its own key
KEYS_AT_CEILING = 0.95  # keys an image from which on a number of keys says no more than that
NEAR_UNIFORM = 0.1  # of 1/J: couplings that exceed it by no more are nearly uniform
LATE_EPOCHS = 10  # in the later half of a run, from which on a trend over them is looked at
EQUAL_DOSES = 0.1  # of the larger: doses that differ by no more are the same


Rule = Callable[[float, float, float], str]  # (low, high, margin) of an interval to a verdict


def higher(low: float, high: float, margin: float) -> str:
    """Holds where the whole interval is above 0, does not where it is below."""
    return HOLDS if low > 0 else FAILS if high < 0 else UNDECIDED


def lower(low: float, high: float, margin: float) -> str:
    """Holds where the whole interval is below 0, does not where it is above."""
    return higher(-high, -low, margin)


def not_lower(low: float, high: float, margin: float) -> str:
    """Holds where the whole interval is above -margin (non-inferiority), does not where it is below."""
    return HOLDS if low > -margin else FAILS if high < -margin else UNDECIDED


def lower_at_all(low: float, high: float, margin: float) -> str:
    """Holds where the whole interval is below 0; does not where it is above -margin, so that there is no fall."""
    return HOLDS if high < 0 else FAILS if low > -margin else UNDECIDED


def same(low: float, high: float, margin: float) -> str:
    """Holds where the whole interval is within the margin (equivalence); does not where it is wholly outside."""
    return HOLDS if -margin < low and high < margin else different(low, high, margin)


def different(low: float, high: float, margin: float) -> str:
    """Does not hold where the whole interval is outside the margin; never holds, as with `same` at a ceiling."""
    return FAILS if low > margin or high < -margin else UNDECIDED


def undecidable(low: float, high: float, margin: float) -> str:
    """Never decides, whatever the interval."""
    return UNDECIDED


RULES = f"""\
- A difference is that of networks of the same seed, averaged over seeds; in brackets its interval, of Student's t. n \
is the number of seeds. A second interval, *images*, is what the images leave open: it is the 95% bootstrap interval \
of the same mean difference where the test images are drawn anew, the same ones for both networks and all seeds. It \
speaks of these trainings on other images, the first of other trainings on these images.
- *rises*, *falls*: holds if the whole interval lies on that side of 0, does not hold if it lies on the other.
- *no loss*: holds if the whole interval lies above -{MARGINS["accuracy"]:g} points of accuracy \
(-{MARGINS["consistency"]:g} of consistency); does not hold if it lies wholly below that.
- *the same*: holds if the whole interval lies within ±{MARGINS["entropy"]:g} bits, does not hold if it lies wholly \
outside.
- *lower at all*: holds if the whole interval lies below 0, does not hold if it lies above -{MARGINS["entropy"]:g} \
bits.
- Otherwise: not decidable at this scale. One seed decides nothing, but for the trend within a run. Where all seeds \
differ alike there is no interval over seeds; that of the images decides, where there is one.
- Intervals are 95% ones unless another level stands behind them. Where m findings decide a claim they are corrected \
by Holm's procedure: each is judged by its interval of level 1 - {ALPHA:g}/m; those that this decides are decided, and \
the others are judged anew with their number as m, until none is decided any more. The interval shown is the one that \
a finding was judged by last, so that interval and verdict agree; the chance that any of the m verdicts is wrong stays \
below {ALPHA:.0%}.
- An entropy within {NEAR_CEILING:g} bits of its ceiling (mean of log2 n, n the images predicted as a class), or \
more keys than {KEYS_AT_CEILING:.0%} of the images, say only that nearly every image has a key of its own. Where the \
lower of two is there, nothing is decided; where either is, no two are said to be *the same*, nor one not to be \
*lower at all*, unless it is higher.
- The fall of entropy on two datasets is compared in % of CapsNet+Q's, by Welch's interval; where the smaller fall \
could be the larger but for a ceiling, nothing is decided, nor where the doses (the sum of lambda over all steps) of \
the two datasets' pruned networks are not known or differ by more than {EQUAL_DOSES:.0%} of the larger.
- The trend of one run is that of a straight line through the later half of its epochs, at least {LATE_EPOCHS} of \
them; what is left beside the line is resampled in moving blocks of sqrt(n) epochs, and the interval is Student's by \
the number of blocks. It speaks of that run only, and of its entropy at the shared K, as Figure 5 does.
- A dimension moves the image one way where its consistency exceeds what {BY_CHANCE:g} % of dimensions would exceed \
by chance; more than by chance: the exact binomial interval (Clopper and Pearson) of their share, over the dimensions \
of all seeds, lies above {BY_CHANCE:g} %.
- *Better than a temperature*: the unpruned network's line over tau, between two temperatures straight, is read where \
its mean entropy over the band is that of the pruned network of the same seed.
- *Uniform before training*: holds if mean max_j c exceeds 1/J by at most {NEAR_UNIFORM:.0%} in every network, does \
not hold if in none.
- Zero W_ij: holds if at least {ZERO_BLOCKS:g} % of the blocks are wholly zero in every network, does not hold if in \
none. Entropy of 0: holds if every network's is exactly 0, does not hold if one is not.
- Of entropies and numbers of keys their means over the band decide: every K that keeps the validation accuracy of all \
networks of the dataset that choose its K (`quantizer.variants`; the shared K need not be one of them). At a \
single K an entropy is large or small as a level edge lies close to 1/J or not; in brackets stands at how many K of \
the band the difference has the sign of the mean.
- A claim does not hold if one of the findings that decide it says so, holds if all do. Of an accuracy the shared K \
decides. What stands *beside it* (single K of an entropy, the authors' K, further comparisons) does not. What holds \
only on other data than the paper's, as whose a sample of them counts, is said to hold there. Where a claim says \
several things at once and one of them was not measured, the others decide nothing. Without a measurement: {MISSING}.
- Where a value is blank for one of the seeds, nothing is decided: those that are left are no fair choice of all."""
