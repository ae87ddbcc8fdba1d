"""The model card: a README that people read, with a header that Hugging Face's hub reads."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mintage.attribute_names import groups_of
from mintage.attributes import EXAMPLES
from mintage.model_config import ModelConfig
from mintage.spelling import american_keys
from stages.common.licenses import license_entries
from stages.common.loading import loading
from stages.common.templates import environment
from stages.media import medium_of
from stages.selection.metrics import metrics_in
from stages.selection.verdicts import floors_above_chance

_TEMPLATES = Path(__file__).parent / "templates"


def model_card(config: ModelConfig, manifest: dict[str, Any], made: dict[str, Any]) -> str:
    """The card of a selected generator, from the data's manifest and the model's `provenance.json`."""
    medium, source = medium_of(manifest), american_keys(manifest["source"])
    return (
        environment(_TEMPLATES, autoescape=False)
        .get_template("model_card.md.j2")
        .render(
            config=config,
            medium=medium,
            words=medium.words,
            inputs=inputs_in_numpy(config),
            loading=loading(asdict(config), ".", medium.between),
            examples=EXAMPLES,
            shape=" x ".join(str(side) for side in config.image_shape),
            source=source,
            counts=manifest["counts"],
            made=made,
            selection=made["selection"],
            floor_above=floors_above_chance(made["selection"].get),
            figures=figures(made["selection"]),
            license=license_entries(source["license"]),
        )
    )


def inputs_in_numpy(config: ModelConfig) -> dict[str, str]:
    """The inputs of the exported generator, by name: NumPy expressions for a batch of 16."""
    inputs = {"latents": latents_in_numpy(config)} if config.latent_size else {}
    if config.translates:
        inputs["sources"] = "sources.astype(np.float32)"
    if config.attributes:
        inputs["attributes"] = f"np.tile(np.float32({_a_row(config.attributes)}), (16, 1))"
    elif config.conditional:
        inputs["labels"] = "np.zeros(16, np.int64)"
    return inputs


def _a_row(attributes: Sequence[str]) -> list[int]:
    """A value of each attribute: of a group one word is on, the first; bits and numbers are on."""
    on = {places[0] for places in groups_of(attributes).values()}
    return [1 if place in on else -1 for place in range(len(attributes))]


def latents_in_numpy(config: ModelConfig) -> str:
    """A NumPy expression for 16 latents, with an information code if there is one, drawn as in `latents.draw`."""
    draws = {
        "normal": "np.random.standard_normal((16, {}))",
        "uniform": "np.random.uniform(-1, 1, (16, {}))",
    }
    parts = [draws[config.latent_distribution].format(config.latent_size)]
    if config.code_categories:
        parts.append(f"np.eye({config.code_categories})[np.arange(16) % {config.code_categories}]")
    if config.code_continuous:
        parts.append(draws["uniform"].format(config.code_continuous))
    joined = parts[0] if len(parts) == 1 else f"np.concatenate([{', '.join(parts)}], axis=1)"
    return f"{joined}.astype(np.float32)"


def figures(selection: dict[str, Any]) -> list[dict[str, Any]]:
    """A row for each metric: its name, the model's value, the floor of real images, and what it is compared with."""
    return [
        {
            "metric": metric,
            "name": about.title[0].upper() + about.title[1:],
            "value": selection[metric],
            "text": about.with_error(selection[metric], selection.get(about.error or "")),
            "floor": about.of_real(selection),
            "last": about.text(selection["last"].get(metric)),
            "first": about.text((selection.get("first_stage") or {}).get(metric)),
            "sources": about.text((selection.get("baseline") or {}).get(metric)),
        }
        for metric, about in metrics_in(selection).items()
    ]
