"""Where MNIST and Fashion-MNIST are, and the SHA-256 of their files (as in TensorFlow Datasets' checksums)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Official:
    """A data set of four files, which several web sites have."""

    origin: str
    license: str
    classes: list[str]
    places: list[str]
    """Web folders, tried in this order."""
    sha256: dict[str, str]
    """SHA-256 by file name."""


MNIST = Official(
    origin="http://yann.lecun.com/exdb/mnist/",
    license="CC BY-SA 3.0",
    classes=[str(digit) for digit in range(10)],
    places=[
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
    ],
    sha256={
        "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    },
)

FASHION_MNIST = Official(
    origin="https://github.com/zalandoresearch/fashion-mnist",
    license="MIT",
    classes=["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"],
    places=[
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    ],
    sha256={
        "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    },
)

OFFICIAL = {"mnist": MNIST, "fashion-mnist": FASHION_MNIST}
