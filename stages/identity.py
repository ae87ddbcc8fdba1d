"""Identity: which code decides each stage's result, so that nothing runs again for code that it does not use.

Reads the code, dvc.yaml, and of params.yaml the names that stand for code, and how long the training is, from which the
evaluator's may follow, up to an end. Writes identity/STAGE.json. As the first stage it also refuses what DVC would
stumble over: a slip in params.yaml, an `ingest.path` that is not there.
"""

from pathlib import Path

from mintage.budget import USUAL
from stages.checking.source import path_problems
from stages.common.dvc import graph_stages
from stages.common.dvc_file import outputs_of
from stages.common.errors import UserError, run_stage
from stages.common.files import replacing_directory, write_json
from stages.common.identity import code_of
from stages.common.params import Params, load_params
from stages.common.stage import parser_of


def main() -> None:
    parser_of("stages.identity", __doc__).parse_args()
    params = load_params()
    stages = graph_stages(Path("dvc.yaml"))
    made = [Path(path) for stage in stages.values() for path in outputs_of(stage)]
    for problem in path_problems(params.ingest, made, Path()):
        raise UserError("params-do-not-fit", f"params.yaml: {problem}")
    recipe = params.train.whole_recipe
    with replacing_directory("identity") as folder:
        for stage in stages.keys() - {"identity"}:
            write_json(folder / f"{stage}.json", code_of(stage, recipe, params.ingest.source) | beside(stage, params))


def beside(stage: str, params: Params) -> dict[str, str]:
    """What decides the stage's result and stands in another section, but only where it does: DVC knows no condition."""
    follows = stage == "evaluator" and params.evaluator.images is None
    return {"train.images": str(min(params.train.images, USUAL))} if follows else {}


if __name__ == "__main__":
    run_stage(main)
