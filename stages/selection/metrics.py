"""The one table of all metrics, by which they are printed, sorted, plotted and refused. Data alone, without torch."""

from typing import Any

from mintage import catalog
from mintage.metrics import Metric
from stages import media

METRICS: dict[str, Metric] = {
    "frechet_distance": Metric(
        "Frechet distance",
        "frechet_floor",
        "min",
        "How far the generated images lie from the real ones, both taken as Gaussians in the features.",
        "Heusel et al. 2017",
        varies=True,
    ),
    "kernel_distance": Metric(
        "kernel distance",
        "kernel_floor",
        "min",
        "The same without the Gaussian and without a bias from the number of images, so it can fall below 0.",
        "Binkowski et al. 2018",
        error="kernel_error",
    ),
    "precision": Metric(
        "precision",
        "precision_floor",
        "max",
        "The share of generated images that lie where real ones do.",
        "Kynkaanniemi et al. 2019",
        "share",
        guard_only="one image made over and over scores better than real ones",
    ),
    "recall": Metric(
        "recall",
        "recall_floor",
        "max",
        "The share of real images that lie where generated ones do.",
        "Kynkaanniemi et al. 2019",
        "share",
        guard_only="noise spread wide around the images scores better than real ones",
    ),
    "density": Metric(
        "density",
        "density_floor",
        "max",
        "In how many neighborhoods of real images a generated one lies, as a share of what is expected; "
        "an outlier among the real ones counts little. It can pass 1.",
        "Naeem et al. 2020",
        guard_only="one image made over and over scores better than real ones",
    ),
    "coverage": Metric(
        "coverage",
        "coverage_floor",
        "max",
        "The share of real images that have a generated one in their neighborhood.",
        "Naeem et al. 2020",
        "share",
    ),
    "classifier_score": Metric(
        "classifier score",
        "classifier_score_floor",
        "max",
        "How sure a classifier is of each image, and how evenly its classes are used; at most the number of classes.",
        "Salimans et al. 2016",
        guard_only="one image a class, made over and over, scores better than real ones",
    ),
    "conditional_accuracy": Metric(
        "conditional accuracy",
        "accuracy_floor",
        "max",
        "The share of generated images in which a classifier sees the class asked for.",
        "Shmelkov et al. 2018",
        "share",
        guard_only="one image a class, made over and over, scores better than real ones",
    ),
    "attribute_accuracy": Metric(
        "attribute accuracy",
        "attribute_floor",
        "max",
        "The share of attributes that a classifier sees in generated images as asked for, as a mean over attributes.",
        "Jin et al. 2017",
        "share",
        needs="attributes",
        guard_only="one image for each set of attributes, made over and over, scores better than real ones",
    ),
    "class_frechet_distance": Metric(
        "class Frechet distance",
        "class_frechet_floor",
        "min",
        "The Frechet distance within each class, as a mean over the classes.",
        "Ravuri and Vinyals 2019",
        varies=True,
    ),
    "diversity": Metric(
        "diversity",
        "diversity_floor",
        "max",
        "How far two images of one class lie apart in the features, as a mean over pairs and classes.",
        "Zhu et al. 2017",
        guard_only="noise scores better than real images",
    ),
    "near_copies": Metric(
        "near copies",
        "near_copies_floor",
        "min",
        "The share of generated images that are copies of training images: in pixels or cells, also a little changed, "
        "or in features much nearer to one than to the next.",
        "Yoon et al. 2023",
        "share",
        guard_only="noise, which copies nothing, scores as well as real images",
    ),
    "l1": Metric(
        "L1",
        "l1_floor",
        "min",
        "How far a pixel of a translation is from the truth's, of 2 from black to white.",
        "Isola et al. 2017",
        needs="pairs",
        guard_only="a blur of all that a truth may be scores as well as a sharp image",
    ),
    "psnr": Metric(
        "PSNR",
        "psnr_floor",
        "max",
        "The peak signal-to-noise ratio of translations beside their truths, in decibels, 100 at most.",
        "Wang et al. 2004",
        needs="pairs",
        guard_only="a blur of all that a truth may be scores better than a sharp image",
    ),
    "si_sdr": Metric(
        "SI-SDR",
        "si_sdr_floor",
        "max",
        "How much of a translated sound is its truth, at any loudness, in decibels from -30 to 100.",
        "Le Roux et al. 2019",
        needs="pairs of sounds",
    ),
    "ssim": Metric(
        "SSIM",
        "ssim_floor",
        "max",
        "How alike translations and their truths are in structure, in windows of 11 pixels.",
        "Wang et al. 2004",
        needs="pairs of pictures",
        guard_only="a source that is much like its truth scores well as it is",
    ),
    "luminance_correlation": Metric(
        "luminance correlation",
        "luminance_correlation_floor",
        "max",
        "How the light and dark of translations goes with that of their truths, between domains without pairs of their "
        "sources: 1 is the same, below 0 exchanged.",
        "Pearson's correlation of pixels",
        needs="source pictures",
        guard_only="a blur of all that a truth may be scores well",
    ),
    "cycle_error": Metric(
        "cycle error",
        "cycle_floor",
        "min",
        "How far a pixel of an image is from what it was, translated and back again, of 2 from black to white.",
        "Zhu et al. 2017",
        needs="domains",
        guard_only="a model that changes nothing scores as well as real images",
    ),
    "hole_psnr": Metric(
        "PSNR in the hole",
        "hole_psnr_floor",
        "max",
        "The peak signal-to-noise ratio of what is filled in alone, in decibels, 100 at most.",
        "Pathak et al. 2016",
        needs="masks",
        guard_only="a blur of all that a truth may be scores better than a sharp image",
    ),
    "chroma_error": Metric(
        "chroma error",
        "chroma_floor",
        "min",
        "How far Cb and Cr of a translation's pixels are from the truth's, of 2 from end to end.",
        "ITU-R BT.601",
        needs="colors",
        guard_only="faint colors score better than strong ones of which some are wrong",
    ),
    "retrieval": Metric(
        "retrieval",
        "retrieval_floor",
        "max",
        "The share of translations that lie nearer to their own truth than to any other's, in the features.",
        "Taigman et al. 2017",
        "share",
        needs="pairs",
        guard_only="a source that is much like its truth is found as it is",
    ),
    "reconstruction_psnr": Metric(
        "reconstruction PSNR",
        "reconstruction_psnr_floor",
        "max",
        "The peak signal-to-noise ratio of held-out images that the model's encoder encodes and its generator makes "
        "again, beside themselves, in decibels, 100 at most.",
        "Larsen et al. 2016",
        needs="encoder",
        guard_only="a blur of all that an image may be scores better than a sharp image",
    ),
    "reconstruction_retrieval": Metric(
        "reconstruction retrieval",
        "reconstruction_retrieval_floor",
        "max",
        "The share of held-out images that, encoded and made again, lie nearer to themselves than to any other, in the "
        "features. It says nothing of samples of noise.",
        "Antipov et al. 2017",
        "share",
        needs="encoder",
    ),
    "pixel_distance": Metric(
        "pixel distance",
        "pixel_floor",
        "min",
        "How far the distribution of pixels' brightness is from that of real images: the area between the two curves.",
        "Wasserstein distance of order 1 of the histograms",
        varies=True,
        guard_only="images with their pixels shuffled score as well as real ones",
    ),
    "spectral_distance": Metric(
        "spectral distance",
        "spectral_floor",
        "min",
        "How far the strength of coarse and fine detail is from that of real images, in decibels.",
        "Durall et al. 2020",
        varies=True,
        guard_only="images with their halves exchanged score as well as real ones",
    ),
}

METRICS |= {name: metric for medium in media.BUILT_IN for name, metric in media.load(medium).metrics.items()}
METRICS |= {name: catalog.load("metric", name) for name in catalog.brought("metric") if name not in METRICS}
"""With those of media and of other packages (docs/extending.md)."""
SELECTABLE = [name for name, metric in METRICS.items() if metric.guard_only is None]
"""Metrics that may choose a checkpoint: no bad model known to the tests scores as well as real images."""


def metrics_in(row: dict[str, Any]) -> dict[str, Metric]:
    """The metrics that a row of figures has, in the order of the table above."""
    return {name: metric for name, metric in METRICS.items() if row.get(name) is not None}
