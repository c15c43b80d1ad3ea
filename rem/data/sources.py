"""Where images come from: the known sources, with the files of each and their checksums.

Imported by the workflow, so it loads nothing heavy.
"""

from dataclasses import dataclass
from typing import Literal

from rem.errors import RemError


@dataclass(frozen=True)
class Source:
    """A named origin of images.

    `files` maps each file to "<algorithm>:<hex digest>", or to None where its authors publish no digest. Of IDX
    files the digest is that of the unpacked content, since mirrors compress the same content differently.
    """

    what: str
    terms: str
    layout: Literal["idx", "cifar", "tiny-imagenet", "affnist", "affine", "shapes", "norb", "folder", "csv"]
    url: str | None = None  # prefix of the files' addresses; None: nothing to download
    files: dict[str, str | None] | None = None
    class_names: tuple[str, ...] = ()  # empty: found in the images, or made with them
    sample: str | None = None  # folder in the repository that holds the files
    of: str | None = None  # the source whose files these are; None: its own
    maps: int = 0  # images that are made of each of those
    own: bool = False  # the user's, in data.folder
    papers: tuple[str, ...] = ()  # the paper's data sets that these images are, or are a sample of
    in_place_of: str | None = None  # the paper's data set that these images are made after, without being it
    count: tuple[int, int] | None = None  # of its training and test images, as far as that is known beforehand
    viewpoints: tuple[str, ...] = ()  # the poses by which `data.viewpoints` can part them

    @property
    def unpacked(self) -> bool:
        """Whether the digests of the files are those of their content once gunzipped."""
        return self.layout in ("idx", "affine")


DIGITS = tuple("0123456789")
GARMENTS = ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
OBJECTS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
MNIST_TERMS = "Y. LeCun, C. Cortes, C. J. C. Burges; CC BY-SA 3.0"
FASHION_TERMS = "Zalando SE; MIT"


def _idx(train_images: str, train_labels: str, test_images: str, test_labels: str) -> dict[str, str | None]:
    return {
        "train-images-idx3-ubyte.gz": f"sha256:{train_images}",
        "train-labels-idx1-ubyte.gz": f"sha256:{train_labels}",
        "t10k-images-idx3-ubyte.gz": f"sha256:{test_images}",
        "t10k-labels-idx1-ubyte.gz": f"sha256:{test_labels}",
    }


MNIST = _idx(
    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
)
MNIST_SAMPLE = _idx(
    "18c61047f0abf64b77f2568eaf8f0d89afbbf3a5d1acfdbb7ae38e04fbe6e199",
    "f7317c8c78900d3cd5ec1367ff6f5f084ecf8767503d66d7f1b89a55b47a6d1b",
    "fa641b20e8c64fb774e267e0192b6decff73363cb0c62ba4d0e226b4341270bd",
    "d7727dc72656ff1f35886cb3caed896198a040f1fd5f9eac7108d8e4f21215d5",
)


# These are not its authors', but those of TensorFlow Datasets (datasets/smallnorb/checksums.tsv).
SMALLNORB = {
    "smallnorb-5x46789x9x18x6x2x96x96-training-dat.mat.gz": "sha256:"
    "5ffd6272a07d32695ee1082a26a41a93a37aab8c28da047f8c34ed348d214873",
    "smallnorb-5x46789x9x18x6x2x96x96-training-cat.mat.gz": "sha256:"
    "2784e542c1922060691090952b6cd6278879a216c90f81476f0f00256d42cdaa",
    "smallnorb-5x46789x9x18x6x2x96x96-training-info.mat.gz": "sha256:"
    "de7eb932ebe7a4ee16217fead60660d0eb3d23632c2f4d1c51f88c501c17bf32",
    "smallnorb-5x01235x9x18x6x2x96x96-testing-dat.mat.gz": "sha256:"
    "cf7104eed3e51174d2f65b66d1e5878b9da233b886f161b0d88f4510ba2c7474",
    "smallnorb-5x01235x9x18x6x2x96x96-testing-cat.mat.gz": "sha256:"
    "ecaf6d5bb8c3bc5eab9cf0258f6d2198dd474e016e374836fc097f2e5ff509ff",
    "smallnorb-5x01235x9x18x6x2x96x96-testing-info.mat.gz": "sha256:"
    "16adf314226327ee006d1a44db8cfef52773c06c829951d5653a9f6f310248a2",
}


def _test_files(files: dict[str, str | None]) -> dict[str, str | None]:
    return {name: digest for name, digest in files.items() if name.startswith("t10k")}


def _affine(what: str, of: str, files: dict[str, str | None], maps: int) -> Source:
    """Affine maps of a source's test digits, so many of each, in affNIST's place."""
    return Source(
        what=f"not affNIST: {what}",
        terms=MNIST_TERMS,
        layout="affine",
        files=_test_files(files),
        class_names=DIGITS,
        of=of,
        maps=maps,
        in_place_of="affnist",
    )


SOURCES: dict[str, Source] = {
    "mnist": Source(
        what="60,000 + 10,000 handwritten digits, grey, 28x28",
        count=(60_000, 10_000),
        terms=MNIST_TERMS,
        layout="idx",
        url="https://ossci-datasets.s3.amazonaws.com/mnist/",
        files=MNIST,
        class_names=DIGITS,
        papers=("mnist", "expanded-mnist"),
    ),
    "fashion-mnist": Source(
        what="60,000 + 10,000 garments, grey, 28x28",
        count=(60_000, 10_000),
        terms=FASHION_TERMS,
        layout="idx",
        url="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        files=_idx(
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
        class_names=GARMENTS,
        papers=("fashion-mnist",),
    ),
    "cifar10": Source(
        what="50,000 + 10,000 photographs of objects, RGB, 32x32",
        count=(50_000, 10_000),
        terms="A. Krizhevsky; no licence stated, not to be redistributed",
        layout="cifar",
        url="https://www.cs.toronto.edu/~kriz/",
        files={"cifar-10-binary.tar.gz": "md5:c32a1d4ab5d03f1284b67883e8d87530"},
        class_names=OBJECTS,
        papers=("cifar10",),
    ),
    "mnist-sample": Source(
        what="3,500 + 1,500 digits of MNIST's training set, grey, 28x28; in this repository",
        count=(3_500, 1_500),
        terms=MNIST_TERMS,
        layout="idx",
        files=MNIST_SAMPLE,
        class_names=DIGITS,
        sample="data/sample/mnist",
        papers=("mnist", "expanded-mnist"),
    ),
    "fashion-mnist-sample": Source(
        what="3,500 + 1,500 garments of Fashion-MNIST, grey, 28x28; in this repository",
        count=(3_500, 1_500),
        terms=FASHION_TERMS,
        layout="idx",
        files=_idx(
            "6fad38cff16c388353a76b32c1bbf4ad4674611d1d69e59ac9a145467b1fa0bf",
            "4b4b69332d2fcb78707c006b77b406e6402dde388d91d5f4fa42c08961a043b0",
            "198c65e5fd496a4592a3d358ab7ae641ba78f72fd3d4bbcacba5c7e5b16bdf46",
            "3b45ceebae77045996b9a37ee80a8d11be782b9edbfaa17111f7166217946914",
        ),
        class_names=GARMENTS,
        sample="data/sample/fashion-mnist",
        papers=("fashion-mnist",),
    ),
    "tiny-imagenet": Source(
        what="100,000 photographs of 200 classes, RGB, 64x64; the 10,000 official validation images are the test set",
        count=(100_000, 10_000),
        terms="Stanford CS231n, from ImageNet; for research, not to be redistributed",
        layout="tiny-imagenet",
        url="http://cs231n.stanford.edu/",
        files={"tiny-imagenet-200.zip": "md5:90528d7ca1a48142e341f4ef8d21d0de"},
        papers=("tiny-imagenet",),
    ),
    "affnist": Source(
        what="320,000 affine maps of MNIST's test digits, grey, 40x40; test images only (for data.transfer); "
        "no checksum is published, so the zip's own, its layout and the number of each digit are checked",
        terms="T. Tieleman, from MNIST; no licence stated",
        layout="affnist",
        url="https://www.cs.toronto.edu/~tijmen/affNIST/32x/transformed/",
        files={"test_batches.zip": None},
        class_names=DIGITS,
        papers=("affnist",),
    ),
    "affnist-like": _affine(
        "32 random affine maps of each of MNIST's 10,000 test digits, within affNIST's ranges, grey, "
        "40x40; test images only (for data.transfer), made by rem/data/layouts/affine.py",
        "mnist",
        MNIST,
        maps=32,
    ),
    "affnist-like-10000": _affine(
        "a random affine map of each of MNIST's 10,000 test digits, otherwise as affnist-like", "mnist", MNIST, maps=1
    ),
    "affnist-like-sample": _affine(
        "a random affine map of each of mnist-sample's 1,500 test digits, otherwise as affnist-like",
        "mnist-sample",
        MNIST_SAMPLE,
        maps=1,
    ),
    "smallnorb": Source(
        what="24,300 + 24,300 stereo pairs of toys, other toys in the test, grey, 96x96, from known directions",
        count=(24_300, 24_300),
        terms="F. J. Huang, Y. LeCun; for research, not to be sold",
        layout="norb",
        url="https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/",
        files=SMALLNORB,
        class_names=("animal", "human", "airplane", "truck", "car"),
        viewpoints=("azimuth", "elevation"),
    ),
    "shapes": Source(
        what="textured shapes under random pose before clutter, RGB, generated (rem/data/layouts/shapes.py)",
        terms="this project's licence",
        layout="shapes",
        viewpoints=("rotation", "scale"),
    ),
    "folder": Source(
        what="your images, in the folder, .zip or .tar.gz that data.folder names: train/<class>/ and test/<class>/",
        terms="yours",
        layout="folder",
        own=True,
    ),
    "csv": Source(
        what="your images, listed in the .csv that data.folder names: path (from the CSV's folder), label and, "
        "if there is one, split (train or test)",
        terms="yours",
        layout="csv",
        own=True,
    ),
    "tiny-imagenet-folder": Source(
        what="your folder, .zip or .tar.gz in Tiny ImageNet's layout, a subset for one, that data.folder names",
        terms="yours",
        layout="tiny-imagenet",
        own=True,
        papers=("tiny-imagenet",),
    ),
}


def find_source(name: str) -> Source:
    """The source of that name.

    Raises:
        RemError: there is none; lists those there are.
    """
    if name not in SOURCES:
        raise RemError(f"unknown source {name!r}; the sources are {', '.join(SOURCES)}.")
    return SOURCES[name]
