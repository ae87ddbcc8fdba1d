"""Lines of Python that load a model and use it: the same in the model card and on a page of the gallery."""

from typing import Any


def loading(config: dict[str, Any], address: str, between: str = " ") -> str:
    """The lines for a model with this config.json; `between` separates words, if it writes text.

    They run as they are: zeros stand for the user's own images.
    """
    used = _uses(config, between)
    imported = ["import mintage", *(["import torch"] if any("torch." in line for line in used) else [])]
    return "\n".join(
        [*imported, "", f"model = mintage.load({address!r})", *used, "model.generator  # the torch module", ""]
    )


def _uses(config: dict[str, Any], between: str) -> list[str]:
    if config.get("vocabulary"):
        apart = "" if between == " " else f", between={between!r}"
        return [
            f"lines = mintage.tokens.texts(model.write(16, seed=0), model.vocabulary{apart})",
            'print("\\n".join(lines))',
        ]
    made = _of_shape(config.get("image_shape"))
    if config.get("source_shape"):
        channels, *sides = config["source_shape"]
        return [
            _brought("sources", [channels - len(config.get("attributes") or ()), *sides]),
            f"images = model.translate(sources{_asked(config)})  # {made}",
        ]
    if config.get("domains"):
        each = "model.sample(16, seed=0, label=domain) for domain in model.domains"
        return [f"pairs = [{each}]  # of the same latents, each {made}"]
    again = [
        _brought("pictures", config.get("image_shape")),
        "latents = model.encode(pictures)",
        "again = model.reconstruct(pictures)  # encoded, and made again",
    ]
    sampled = f"images = model.sample(16, seed=0{_asked(config)})  # {made}"
    return [sampled, *(again if config.get("encodes") else [])]


def _asked(config: dict[str, Any]) -> str:
    """The condition as an argument: the first attribute, domain or class that the model knows."""
    attributes, classes, domains = (config.get(name) or () for name in ("attributes", "classes", "domains"))
    if attributes:
        name, _, word = attributes[0].partition("=")
        return f", attributes={{{name!r}: {word or True!r}}}"
    if domains:
        return f", to={domains[-1]!r}"
    labeled = not config.get("source_shape") and config.get("generator_conditioning", "none") != "none"
    return f", label={classes[0]!r}" if classes and labeled else ""


def _brought(name: str, shape: Any) -> str:
    return f"{name} = torch.zeros({_sides(shape)})  # yours, in [-1, 1]"


def _of_shape(shape: Any) -> str:
    return f"[{_sides(shape)}] in [-1, 1]"


def _sides(shape: Any) -> str:
    return ", ".join(map(str, (16, *(shape or ("C", "H", "W")))))
