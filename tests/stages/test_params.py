"""params.yaml: what is right is read, what is wrong is refused with file, key, value and the nearest name."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from stages.common.params import Evaluator, Ingest, Params, Validate, load_params, load_section
from stages.common.yaml_files import parse_yaml
from tests.programs import python
from tests.refusals import refused

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "params.yaml").read_text()


def written(folder: Path, text: str) -> Path:
    path = folder / "params.yaml"
    path.write_text(text)
    return path


def changed(folder: Path, key: str, value: str) -> Path:
    """The repository's params with one line `section.key: value` changed; `value` is YAML as one writes it."""
    section, name = key.split(".")
    pattern = rf"(?ms)(^{section}:\n(?:(?!^\S).)*?^  ){name}:[^\n]*"
    text, count = re.subn(pattern, lambda match: f"{match[1]}{name}: {value}", TEXT, count=1)
    assert count == 1, f"params.yaml has no {key}"
    return written(folder, text)


def renamed(folder: Path, key: str, name: str) -> Path:
    old = key.rpartition(".")[2]
    text, count = re.subn(rf"(?m)^( *){old}:", rf"\1{name}:", TEXT, count=1)
    assert count == 1
    return written(folder, text)


def refusal(path: Path, code: str = "params-invalid") -> str:
    with refused(code, str(path)) as found:
        load_params(path)
    return str(found.value)


def test_the_repository_s_own_params_are_right() -> None:
    params = load_params(ROOT / "params.yaml")
    assert params.ingest.source == "digits"
    assert params.train.recipe == {}


def test_a_stage_gets_its_own_section() -> None:
    limits = load_section(Validate, ROOT / "params.yaml")
    assert isinstance(limits, Validate)
    assert limits.min_images == 100


def test_a_stage_is_refused_when_another_section_is_wrong(tmp_path: Path) -> None:
    path = changed(tmp_path, "upload.url", "ftp://host/folder")
    with refused("params-invalid", "upload.url"):
        load_section(Ingest, path)


@pytest.mark.parametrize(
    ("key", "name", "nearest"),
    [
        ("ingest.path", "pathh", "path"),
        ("validate.max_duplicates", "max_duplicate", "max_duplicates"),
        ("train.family", "famly", "family"),
        ("train.variant", "varient", "variant"),
        ("evaluator", "evaluater", "evaluator"),
        ("validate", "validation", "validate"),
    ],
)
def test_a_misspelt_key_is_refused_with_the_nearest_known_name(
    tmp_path: Path, key: str, name: str, nearest: str
) -> None:
    sentence = refusal(renamed(tmp_path, key, name))
    assert re.search(rf"\b{name}\b.* is not a known key: did you mean '{nearest}'\?", sentence)


def test_a_key_like_no_other_is_refused_with_all_known_names(tmp_path: Path) -> None:
    path = changed(tmp_path, "report.title", "Mintage\n  qqq: 1")
    assert "report.qqq = 1 is not a known key; known: title" in refusal(path)


@pytest.mark.parametrize(
    ("key", "value", "place"),
    [
        ("ingest.path", '"data/source', "  path: "),  # up to the next quote, in a comment
        ("ingest.path", "'data/source", "  path: "),
        ("ingest.path", "'data/source  # the user's own", "  path: "),
        ("ingest.name", '"Mintage\n\n  path: digits"\n  qa: 1', "  name: "),
        ("report.title", '"Mintage', "  title: "),  # up to the end of the file
    ],
)
def test_a_missing_closing_quote_is_told_with_its_line_and_without_what_follows_from_it(
    tmp_path: Path, key: str, value: str, place: str
) -> None:
    path = changed(tmp_path, key, value)
    line = 1 + next(
        at for at, text in enumerate(path.read_text().splitlines()) if text.startswith(f"{place}{value[0]}")
    )
    assert refusal(path) == f"{path}, line {line}: a closing quote is missing: add it"


def test_a_text_of_several_lines_within_quotes_lacks_none(tmp_path: Path) -> None:
    path = changed(tmp_path, "upload.require_card", '1\n  card: {limits: "of\n    note: these"}')
    assert "quote" not in refusal(path)
    path = changed(tmp_path, "upload.require_card", '1\n  card:\n    limits: "of\n    Note: they signed"')
    assert "quote" not in refusal(path)


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        ("It's mine: yes", "put a text with a colon in it in quotes"),
        (r'"C:\Users\me"', r"write a text with a \\ in it within single quotes"),
        (r'"C:\data"', r"write a text with a \\ in it within single quotes"),
    ],
)
def test_a_text_that_yaml_cannot_read_is_told_with_how_to_write_it(tmp_path: Path, value: str, advice: str) -> None:
    assert re.search(f", line \\d+.*: {advice}", refusal(changed(tmp_path, "report.title", value)))


def test_of_many_unknown_keys_the_first_three_are_told(tmp_path: Path) -> None:
    path = changed(tmp_path, "report.title", "Mintage\n  qa: 1\n  qb: 1\n  qc: 1\n  qd: 1\n  qe: 1")
    said = refusal(path)
    assert said.count("is not a known key") == 3
    assert "2 more of its keys are not known" in said


def test_a_key_in_a_list_is_checked_too(tmp_path: Path) -> None:
    path = changed(tmp_path, "select.guards", "[{metric: conditional_accuracy, at_leest: 0.8}]")
    assert "select.guards.0.at_leest = 0.8 is not a known key: did you mean 'at_least'?" in refusal(path)


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("train.family", "dcgam", "train.family = 'dcgam': did you mean 'dcgan'? It is not one of .*'dcgan'"),
        ("train.family", "zzz", "train.family = 'zzz' is not one of .*cgan"),
        ("normalize.channels", "4", "normalize.channels = 4 is not one of"),
        # strict: nothing is guessed from another type
        ("train.images", "'600000'", "train.images = '600000' is refused: remove the quotes"),
        ("train.images", "12,000", "train.images = '12,000' is refused: write 12000$"),
        ("normalize.channels", "'3'", "normalize.channels = '3' is refused: remove the quotes$"),
        ("validate.max_leakage", "1k", "validate.max_leakage = '1k' is refused: it must be a number$"),
        ("train.images", "12k", "train.images = '12k' is refused: write 12000$"),
        ("normalize.holdout", "0,2", "normalize.holdout = '0,2' is refused: write 0.2$"),
        ("train.images", "12 000", "train.images = '12 000' is refused: write 12000$"),
        ("train.images", "1M", "train.images = '1M' is refused: write 1000000$"),
        ("train.images", "1.5M", "train.images = '1.5M' is refused: write 1500000$"),
        ("normalize.holdout", "20%", "normalize.holdout = '20%' is refused: write 0.2$"),
        ("ingest.labels", "no", r"ingest.labels: 'no' is a text to YAML: write false \(no labels\), or null"),
        ("train.deterministic", "yes", "train.deterministic = 'yes' is refused: write true$"),
        ("normalize.holdout", "20", r"must be below 1.* \(a share: 0.2 is 20%\)$"),
        ("normalize.background", "#ffffff", "normalize.background is empty, or null: write a text, within quotes"),
        ("ingest.name", "2024-01-01", "ingest.name = 2024-01-01 is refused: write it in quotes$"),
        ("ingest.name", 81 * "x", "ingest.name = 'x{41}...x{14}' is refused: it must have at most 80 characters"),
        ("ingest.name", '"un\n\n    closed"', "ingest.name = .* holds a line break: is a closing quote missing?"),
        ("train.images", "1.5", "train.images = 1.5 is refused: it must be a whole number"),
        ("train.images", "1e5", "train.images = 100000.0 is refused: write 100000$"),
        ("train.images", "40.000", "train.images = 40.0 is refused: write 40, or 40000 if that was meant as thousands"),
        ("train.images", "true", "train.images = True is refused"),
        ("train.deterministic", "'no'", "train.deterministic = 'no' is refused: write false$"),
        ("train.deterministic", "1", "train.deterministic = 1 is refused"),
        ("report.title", "7", "report.title = 7 is refused"),
        ("train.images", "", "train.images is empty, or null: write a whole number$"),
        ("normalize.fit", "", "normalize.fit is empty, or null: write 'resize', 'crop', 'letterbox' or 'pad'$"),
        # out of range
        ("train.images", "0", "train.images = 0 is refused: it must be at least 1"),
        ("train.images", str(10**15), "train.images = 10{15} is refused: it must be at most 10000000000"),
        ("sample.count", str(10**12), "sample.count = 10{12} is refused: it must be at most 10000000000"),
        (
            "train.checkpoint_every",
            "7",
            "train.checkpoint_every = 7 makes 28,571 checkpoints of train.images = 200000, more than 10,000: set it to",
        ),
        ("train.seed", "-1", "train.seed = -1 is refused"),
        ("train.seed", "4294967296", "train.seed = 4294967296 is refused: it must be below 4294967296"),
        ("validate.max_duplicates", "1.5", "validate.max_duplicates = 1.5 is refused: it must be at most 1"),
        ("validate.max_duplicates", ".nan", "validate.max_duplicates = nan is refused"),
        ("validate.max_imbalance", ".inf", "validate.max_imbalance = inf is refused: .*finite"),
        ("normalize.holdout", "1", "normalize.holdout = 1 is refused: it must be below 1"),
        ("train.recipe", "{label_smoothing: 0.5}", "train.recipe.label_smoothing = 0.5 is refused: .* below 0.5"),
        ("train.recipe", "{batch_size: 1}", "train.recipe.batch_size = 1 is refused: it is a whole number from 2"),
        ("train.recipe", "{width: '8'}", "train.recipe.width = '8' is refused"),
        ("train.recipe", "{width: true}", "train.recipe.width = True is refused"),
        ("train.recipe", "{warm_up: 1}", "train.recipe.warm_up = 1 is refused: it is true or false"),
        ("train.recipe", "{gamma: .nan}", "train.recipe.gamma = nan is refused"),
        ("train.recipe", "{width: 1" + 400 * "0" + "}", "train.recipe.width = 10+ is refused"),
        ("train.recipe", "{decay_images: 1" + 400 * "0" + "}", "train.recipe.decay_images = 10+ is refused"),
        ("train.recipe", "{targets: [0, 1]}", "train.recipe.targets = .* is refused: it is a list of 3"),
        (
            "train.recipe",
            "{objective: hinje}",
            "train.recipe.objective = 'hinje': did you mean 'hinge'? It is not one of ",
        ),
        (
            "train.recipe",
            "{augment: [colro]}",
            "train.recipe.augment.0 = 'colro': did you mean 'color'? It is not one of ",
        ),
        (
            "train.recipe",
            "{generator: {momentun: 1}}",
            "train.recipe.generator.momentun = 1 .*: did you mean 'momentum'?",
        ),
        (
            "train.recipe",
            "{lr: 1e-3}",
            "train.recipe.lr = 0.001 is not a known key: did you mean 'generator.learning_rate'?",
        ),
        ("train.recipe", "{generator: 3}", "train.recipe.generator = 3 is refused: it is a mapping"),
        ("train.recipe", "{penalties: [{weight: 1.0}]}", "train.recipe.penalties.0.name is missing: add it"),
        ("train.recipe", "{penalties: [{name: r1}, {name: r1}]}", "train.recipe.penalties names 'r1' twice"),
        ("train.recipe", "paper", "train.recipe: 'paper' is no mapping of axes; .* named by train.variant"),
        ("train.recipe", "[]", "train.recipe = \\[...\\] is refused"),
        ("train.variant", "lecture", "train.variant = 'lecture' is none of 'cgan': it has short, modulated, paper"),
        ("train.variant", "papr", "it has short, modulated, paper; did you mean 'paper'?"),
        (
            "train.seed",
            "0\n  batch_size: 32",
            "batch_size is an axis of the recipe: write it .* as train.recipe.batch_size",
        ),
        ("report.title", "''", "report.title = '' is refused"),
        # forms
        ("train.device", "gpu", "train.device = 'gpu' is refused: write auto, cpu, cuda or cuda:N"),
        (
            "upload.url",
            "ftp://host/x",
            r"upload.url = 'ftp://host/x' is refused: write file:FOLDER or s3://BUCKET/PREFIX",
        ),
        ("upload.url", "'file:'", "upload.url = 'file:' is refused"),
        ("upload.url", "/tmp/x", "upload.url = '/tmp/x' is refused: did you mean 'file:/tmp/x'?$"),
        ("ingest.pairs", "{by: name, folders: [one]}", "ingest.pairs.folders = \\[...\\] is refused: .*at least 2"),
        ("ingest.pairs", "{by: name, folders: [a, a/]}", "'a' is there twice"),
        ("ingest.options", "[]", "ingest.options = \\[...\\] is refused"),
        # what does not go together
        (
            "select.direction",
            "max",
            "'frechet_distance' is better when it is lower: set direction to 'min' or null",
        ),
        ("select.guards", "[{metric: kernel_distance}]", "select.guards.0: a guard needs 'at_least' or 'at_most'"),
    ],
)
def test_an_impossible_value_is_refused_with_key_and_value(tmp_path: Path, key: str, value: str, sentence: str) -> None:
    assert re.search(sentence.replace("?", r"\?"), refusal(changed(tmp_path, key, value)))


def test_a_recipe_with_nothing_in_it_overrides_nothing(tmp_path: Path) -> None:
    assert load_params(changed(tmp_path, "train.recipe", "null")).train.recipe == {}


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    text = TEXT.replace("family: cgan", "family: cgam").replace("min_images: 100", "min_images: -3")
    sentence = refusal(written(tmp_path, text))
    assert "train.family = 'cgam'" in sentence
    assert "validate.min_images = -3" in sentence


@pytest.mark.parametrize(("written_as", "value"), [("1e-4", 1e-4), ("2E-3", 2e-3), ("1", 1.0), (".5", 0.5)])
def test_a_number_is_read_however_it_is_written(tmp_path: Path, written_as: str, value: float) -> None:
    path = changed(tmp_path, "evaluator.learning_rate", written_as)
    assert load_section(Evaluator, path).learning_rate == value


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "has no sections: it needs ingest, normalize, "),
        ("# only a comment\n", "has no sections"),
        ("- ingest\n", "has no sections"),
        ("ingest\n", "has no sections"),
        ("ingest: [1\n", "is not valid YAML, line 2: "),
        ("ingest:\n\tsource: digits\n", "is not valid YAML, line 2: "),
        ("ingest:\n  path: x\n  source digits\n  name: y\n", "is not valid YAML, line 3: could not find expected ':'"),
        ("ingest:\n  source digits\n  path: x\n", "is not valid YAML, line 3 or before it: "),
        ("ingest:\n   source: a\n  path: x\n", "is not valid YAML, line 3 or before it: "),
        ("\0", "is not valid YAML"),
        (TEXT + "upload:\n  url: file:elsewhere\n", 'found duplicate key "upload"'),
        (TEXT.replace("  title:", "  title: A\n  title:"), 'found duplicate key "title"'),
        (TEXT.replace("title: Mintage", "title: !!python/name:os.system"), "is not valid YAML"),
        (TEXT.partition("upload:")[0], "keys are missing: upload, "),
        (TEXT.partition("upload:")[0] + "upload:\n", "upload is empty, or null: write its keys"),
        (TEXT.partition("upload:")[0] + "upload: []\n", r"upload = [...] is refused"),
    ],
)
def test_a_file_that_is_not_params_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    assert sentence in refusal(written(tmp_path, text))


def test_several_missing_keys_are_one_list(tmp_path: Path) -> None:
    lines = [line for line in TEXT.splitlines() if not line.startswith(("  seed:", "  log_every:", "  resume_every:"))]
    said = refusal(written(tmp_path, "\n".join(lines)))
    assert "train.seed" in said
    assert "train.log_every, train.resume_every" in said
    assert said.count("missing: ") == said.count(": add them (docs/params.md lists every key)") == 1


def test_a_file_that_is_missing_no_text_or_a_folder_is_refused(tmp_path: Path) -> None:
    refusal(tmp_path / "params.yaml", code="params-missing")
    (tmp_path / "params.yaml").write_bytes(b"\xff\xfe\xff")
    refusal(tmp_path / "params.yaml")
    (tmp_path / "folder").mkdir()
    refusal(tmp_path / "folder", code="params-unreadable")


def test_a_tag_in_the_file_runs_no_code(tmp_path: Path) -> None:
    made = tmp_path / "made"
    refusal(written(tmp_path, f"upload: !!python/object/apply:os.mkdir ['{made}']\n"))
    assert not made.exists()


@pytest.mark.parametrize(
    "line",
    [
        "url: s3://user:hunter2@bucket/prefix",
        "url: s3://bucket:hunter2@",
        "urll: s3://user:hunter2@bucket",
        "url: [s3://user:hunter2@bucket]",
        "url: {s3: user:hunter2}",
        "url: s3://a/b\n  url: s3://user:hunter2@bucket",
        "url: s3://user:hunter2@bucket: x",
        "url: [s3://user:hunter2@bucket",
        "url: 's3://user:hunter2@bucket",
        "url: s3://user:hunter2@bucket\n   - x: y",
    ],
)
def test_a_password_in_the_upload_url_is_refused_and_not_echoed(tmp_path: Path, line: str) -> None:
    sentence = refusal(written(tmp_path, TEXT.partition("upload:")[0] + f"upload:\n  {line}\n"))
    assert "hunter2" not in sentence


@pytest.mark.tried(
    "`train.family: cgam`, in any stage",
    "error: params.yaml: train.family = 'cgam': did you mean 'cgan'? It is not one of 'gan', 'dcgan', ...",
)
def test_a_stage_told_of_bad_params_prints_one_line_and_ends_with_exit_code_2(
    tmp_path: Path, read: Callable[[str], None]
) -> None:
    changed(tmp_path, "train.family", "cgam")
    done = python("-m", "stages.validate", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    read(done.stderr)
    assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


def test_every_key_of_the_repository_s_params_carries_a_comment() -> None:
    keys = [line for line in TEXT.splitlines() if re.match(r" +\w+: \S", line)]
    assert len(keys) > len(Params.model_fields)
    assert [line for line in keys if not re.search(r"\s# \w", line)] == []


def test_a_misspelled_key_is_told_and_not_also_called_missing(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text.replace("  images:", "  imagse:"))
    with refused("params-invalid", "did you mean 'images'") as found:
        load_params(tmp_path / "params.yaml")
    assert "missing" not in str(found.value)


def test_what_somebody_does_with_values_does_not_change_what_is_read_next() -> None:
    content = b"a: {b: [1]}"
    parse_yaml(content)["a"]["b"].append(2)
    assert parse_yaml(content) == {"a": {"b": [1]}}
