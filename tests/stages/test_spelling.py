"""What older params and files say in British spelling is still read."""

from stages.common.sections import Section, validated
from stages.sources.glyphs import Options as Glyphs
from tests.refusals import refused
from tests.stages.source_files import normalize_params


def test_values_of_older_params_mean_the_same() -> None:
    assert normalize_params(partner="grey", channels=3).partner == "gray"
    assert normalize_params(crop_position="centre").crop_position == "center"


def test_a_key_of_older_params_means_the_same() -> None:
    assert Glyphs.model_validate({"colours": "grey"}).colors == "gray"


def test_a_key_in_both_spellings_is_refused() -> None:
    with refused("params-invalid", "ingest.options.colours = 'rgb' is not a known key: did you mean 'colors'?"):
        validated(Glyphs, {"colours": "rgb", "colors": "gray"}, "params.yaml", "ingest.options")


def test_the_options_of_somebody_elses_source_keep_their_spelling() -> None:
    class Options(Section):
        colour: str

    assert Options.model_validate({"colour": "grey"}).colour == "grey"
