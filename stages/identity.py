"""Identity: which code decides each stage's result, so that nothing runs again for code that it does not use.

Reads the code and dvc.yaml, and of params.yaml the names that stand for code. Writes identity/STAGE.json.
"""

from pathlib import Path

from ruamel.yaml import YAML

from mintage.families import recipe_of
from stages.common.command import parser_of
from stages.common.errors import run_stage
from stages.common.files import replacing_directory, write_json
from stages.common.identity import code_of
from stages.common.params import load_value


def main() -> None:
    parser_of("stages.identity", __doc__).parse_args()
    source = load_value("ingest.source")
    recipe = recipe_of(load_value("train.family"), load_value("train.recipe"), load_value("train.variant"))
    stages = YAML(typ="safe", pure=True).load(Path("dvc.yaml"))["stages"]
    with replacing_directory("identity") as folder:
        for stage in stages.keys() - {"identity"}:
            write_json(folder / f"{stage}.json", code_of(stage, recipe, source))


if __name__ == "__main__":
    run_stage(main)
