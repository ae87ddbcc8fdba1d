"""The known name that is most likely meant by an unknown one."""

import difflib
from collections.abc import Sequence

_MEANINGS = {
    "accuracy": ["conditional_accuracy"],
    "bf16": ["bfloat16"],
    "compare": ["experiments"],
    "conditional": ["cgan"],
    "epochs": ["images"],
    "fid": ["frechet_distance"],
    "float16": ["bfloat16"],
    "fp16": ["bfloat16"],
    "fp32": ["float32"],
    "generate": ["sample"],
    "half": ["bfloat16"],
    "inception_score": ["classifier_score"],
    "is": ["classifier_score"],
    "iterations": ["images"],
    "kid": ["kernel_distance"],
    "lr": ["learning_rate"],
    "mmd": ["kernel_distance"],
    "mode_coverage": ["coverage"],
    "nz": ["latent_size"],
    "r3gan": ["modern", "r3gan"],
    "sagan": ["biggan"],
    "steps": ["images"],
    "stylegan": ["modern"],
    "stylegan2": ["modern"],
    "vanilla": ["gan"],
    "z_dim": ["latent_size"],
}
"""Common other names, such as `fid`, and the name here: spelling alone would not find it."""


def nearest(name: str, known: Sequence[str]) -> str:
    """The end of an error's sentence on an unknown name: which known name may be meant."""
    close = like(name, known)
    return f": did you mean {close!r}?" if close else f"; known: {', '.join(known) or 'none'}"


def not_one_of(name: str, known: Sequence[str], words: str | None = None) -> str:
    """The same, with all known names, as `words` has them; the guess first, which a long list would hide."""
    close = like(name, known)
    guess = f": did you mean {close!r}? It" if close else ""
    return f"{guess} is not one of {words or ', '.join(map(repr, known))}"


def like(name: str, known: Sequence[str]) -> str | None:
    """The known name that is meant: by a common other name, else by similar spelling; None if none is similar."""
    lower = str(name).lower()  # in Python anything may be given
    if meant := next((one for one in _MEANINGS.get(lower, ()) if one in known), None):
        return meant
    by_lower = {one.lower(): one for one in known}
    return next((by_lower[one] for one in difflib.get_close_matches(lower, by_lower, n=1, cutoff=0.6)), None)
