"""Sources of lines: files of any encoding, folders, archives, columns, rows of numbers, and drawn sentences."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.common.split import Split
from stages.media import medium_of
from stages.media.grammar import LONGEST, draw_sentence, is_sentence
from stages.media.medium import UnusableError
from stages.media.tokens import END, UNKNOWN, Tokens, Unit, between, units_of
from stages.sources import open_source
from stages.sources.kinds import advice_on
from stages.sources.sentences import MEDIUM
from tests.refusals import refused
from tests.stages.source_files import ingest_params, ingested, normalize_params, normalized, zip_beside, zipped
from tests.stages.test_source_fuzz import damaged, fuzzed, taken

LINES = [f"{name}: the {kind} sleeps." for name in "ABCDEFGHIJKL" for kind in ("cat", "dog")]
SIZE: dict[str, Any] = {"height": 1, "width": 8}
OPTIONS: dict[str, Any] = {"length": 8}


def texts(path: Path, **options: Any) -> list[str]:
    """What the source makes of a file, line by line."""
    source = open_source(ingest_params(source="text", path=str(path), options=OPTIONS | options))
    return [image.content.decode() for image in source.images if isinstance(image.content, bytes)]


def medium(words: int = 5, length: int = 6, unit: Unit = "words") -> Tokens:
    return Tokens([END, UNKNOWN, *"abcdefgh"[: words - 2]], length, unit)


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


def test_a_file_of_lines_goes_through_with_its_vocabulary(tmp_path: Path) -> None:
    path = write(tmp_path / "lines.txt", "\n".join([*LINES, "", "  "]))
    table = ingested(tmp_path / "raw", source="text", path=str(path), options=OPTIONS)
    assert table["image"][0].as_py()["bytes"] == b"A : the cat sleeps ."
    manifest = normalized(tmp_path, **SIZE)
    found = medium_of(manifest)
    assert isinstance(found, Tokens)
    assert (manifest["shape"], manifest["classes"]) == ([1, 1, 8], None)
    assert found.vocabulary[:2] == [END, UNKNOWN]
    assert set(found.vocabulary[2:6]) == {".", ":", "sleeps", "the"}
    split = Split(tmp_path / "normalized/train")
    assert split.signature.vocabulary == tuple(found.vocabulary)
    keys = split.keys
    assert keys[0].startswith("lines.txt#")
    assert {found.encode(sample)[0].decode() for sample in split.images()} <= {
        " ".join(units_of(line, "words")) for line in LINES
    }


@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_or_a_zip_of_texts_by_class_is_read_line_by_line(tmp_path: Path, packed: bool) -> None:
    for kind in ("cat", "dog"):
        write(tmp_path / f"tree/{kind}/all.txt", "\n".join(line for line in LINES if kind in line))
    path = zip_beside(tmp_path / "tree") if packed else tmp_path / "tree"
    rows = ingested(tmp_path / "raw", source="text", path=str(path), options=OPTIONS).to_pylist()
    assert len(rows) == len(LINES)
    for row in rows:
        assert (b"cat" in row["image"]["bytes"]) == (row["label"] == 0)
    assert normalized(tmp_path, **SIZE)["classes"] == ["cat", "dog"]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-8", "utf-8-sig", "cp1252"])
def test_any_encoding_is_read_that_is_named_and_a_byte_order_mark_is_no_letter(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path / "lines.txt", "Älter als\r\ndas Öl\r\n", encoding)
    assert texts(path, encoding="utf-8" if encoding == "utf-8-sig" else encoding) == ["Älter als", "das Öl"]


def test_a_column_of_a_table_holds_the_lines_and_another_one_their_classes(tmp_path: Path) -> None:
    path = write(tmp_path / "reviews.csv", 'text,label\n"good, I think",praise\nbad,blame\ngood,praise\n')
    source = open_source(ingest_params(source="text", path=str(path), options=OPTIONS))
    assert source.classes == ["blame", "praise"]
    assert [(one.content, one.label) for one in source.images] == [
        (b"good , I think", 1), (b"bad", 0), (b"good", 1),
    ]  # fmt: skip
    assert texts(path, column="label") == ["praise", "blame", "praise"]
    with refused("text-column-missing", "has no column 'body' but text, label"):
        texts(path, column="body")


def test_rows_of_numbers_are_lines_of_words_called_so_up_to_one_below_0(tmp_path: Path) -> None:
    rows = np.array([[7, 3, 3, -1], [5, -1, -1, -1], [7, 7, 5, 3]])
    np.save(tmp_path / "ids.npy", rows)
    expected = ["7 3 3", "5", "7 7 5 3"]
    assert texts(tmp_path / "ids.npy") == expected
    table = write(tmp_path / "ids.csv", "\n".join(",".join(map(str, row)) for row in rows.tolist()))
    assert texts(table) == expected


def test_longer_lines_are_left_out_or_cut_into_windows_on_one_side_of_the_split(tmp_path: Path) -> None:
    letters = ("a b c d e f g h i j k", "l m n", "o p q r s t u v w", "x y")
    path = write(tmp_path / "lines.txt", "\n".join(letters))
    source = open_source(ingest_params(source="text", path=str(path), options={"length": 5}))
    assert [image.content for image in source.images] == [b"l m n", b"x y"]
    assert "left out 2 lines longer than 5 words (ingest.options.length)" in source.notes
    windows = {"length": 5, "longer": "windows"}
    assert texts(path, **windows)[:3] == ["a b c d e", "f g h i j", "k"]
    rows = ingested(tmp_path / "raw", source="text", path=str(path), options=windows).to_pylist()
    assert len({row["group"] for row in rows}) == 4
    normalized(tmp_path, height=1, width=5, holdout=0.4)
    sides = [
        {key.rsplit("#", 1)[0] for key in Split(tmp_path / "normalized" / side).keys} for side in ("train", "holdout")
    ]
    windowed = [{key for key in side if key.count("#")} for side in sides]
    assert not windowed[0] & windowed[1]


def test_lines_that_are_nearly_the_same_are_on_one_side(tmp_path: Path) -> None:
    lines = [
        f"{word} {number}!" for word in map("".join, zip("abcdefghij", "klmnopqrst", strict=True)) for number in (1, 2)
    ]
    path = write(tmp_path / "lines.txt", "\n".join(lines))
    ingested(tmp_path / "raw", source="text", path=str(path), options=OPTIONS)
    normalized(tmp_path, **SIZE, holdout=0.5)
    medium = medium_of({"medium": MEDIUM.to_json()})
    assert medium == MEDIUM
    found = [Split(tmp_path / "normalized" / side) for side in ("train", "holdout")]
    sides = [{int(key[-7:]) // 2 for key in [f"{int(k[-7:]) - 1:07d}" for k in split.keys]} for split in found]
    assert all(sides)
    assert not sides[0] & sides[1]


def test_rare_words_are_unknown_and_the_share_is_said(tmp_path: Path) -> None:
    path = write(tmp_path / "lines.txt", "a a a b\nb a c\n" + "d" * 200)
    source = open_source(ingest_params(source="text", path=str(path), options={"length": 4, "vocabulary": 4}))
    assert isinstance(source.medium, Tokens)
    assert source.medium.vocabulary == [END, UNKNOWN, "a", "b"]
    assert source.notes[0] == (
        "a vocabulary of 4 words, beside which 25% of the text are unknown (ingest.options.vocabulary)"
    )
    decoded = source.medium.decode(b"b a c", normalize_params(height=1, width=4), 100).values
    assert source.medium.numbers_in(decoded) == [3, 2, 1]
    assert source.medium.figures(decoded[None]) == {"unknown": [1 / 3], "filled_up": [0.25]}


def test_a_word_of_the_data_that_is_called_like_the_end_ends_nothing() -> None:
    decoded = medium().decode(b"a <end> b", normalize_params(height=1, width=6), 100).values
    assert medium().numbers_in(decoded) == [2, 1, 3]


@given(line=st.text(max_size=30), unit=st.sampled_from(["words", "characters"]))
def test_what_is_cut_into_words_is_cut_so_again(line: str, unit: Unit) -> None:
    words = units_of(line, unit)
    assert units_of(between(unit).join(words), unit) == words


@given(words=st.lists(st.integers(1, 99), min_size=1, max_size=16))
def test_a_line_is_the_same_after_it_was_a_file(words: list[int]) -> None:
    vocabulary = [END, UNKNOWN, *(f"w{number}" for number in range(98))]
    lines, to = Tokens(vocabulary, 16), normalize_params(height=1, width=16)
    sample = lines.decode(" ".join(vocabulary[word] for word in words).encode(), to, 100).values
    assert lines.numbers_in(sample) == words
    again = lines.decode(lines.encode(sample)[0], to, 100).values
    assert np.array_equal(sample, again)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff\xfe", "it is not in UTF-8"),
        (b"  ", "it has no word"),
        (b"a b c d e f g", r"it has 7 words, more than ingest.options.length \(6\)"),
    ],
)
def test_a_line_that_cannot_be_a_sample_is_left_out_with_the_reason(content: bytes, reason: str) -> None:
    with pytest.raises(UnusableError, match=reason):
        medium().decode(content, normalize_params(height=1, width=6), 100)


REFUSED: list[tuple[str, bytes, str, str]] = [
    ("a.txt", b"", "text-empty", "holds no line with a word in it"),
    ("a.txt", b"\n \n\t\n", "text-empty", "holds no line with a word in it"),
    (
        "a.txt",
        "Öl\nÄra\n".encode("latin-1"),
        "text-encoding",
        "is not in utf-8, at byte 0: set ingest.options.encoding",
    ),
    ("a.txt", "ab\ncd\n".encode("utf-16-le"), "text-binary", "holds the control character 0"),
    ("a.txt", b"\x7fELF\x02\x01\x01", "text-binary", "holds the control character 127"),
    ("a.txt", b"red\x1b[31m\n", "text-binary", "holds the control character 27"),
    ("a.txt", b"a " * 40, "text-lines-too-long", "all 1 lines"),
    ("a.csv", b"", "text-column-missing", "has no column 'text' but (none)"),
    ("a.npy", b"\x93NUMPY", "arrays-damaged", "it is no NumPy array"),
    ("a.npy", b"hello", "arrays-damaged", "it is no NumPy array"),
    ("a.npy", b"\x93NUMPY\x01\x00\x08\x00{'a', \x00\n", "arrays-damaged", "it is no NumPy array"),
    ("a.zip", b"PK\x03\x04", "source-damaged", "is damaged"),
    ("a.zip", zipped({"../../up.txt": b"a"}), "name-leads-outside", "a name that leads outside"),
]


@pytest.mark.parametrize(("name", "content", "code", "reason"), REFUSED)
def test_what_is_no_text_is_one_sentence(tmp_path: Path, name: str, content: bytes, code: str, reason: str) -> None:
    (tmp_path / name).write_bytes(content)
    with refused(code, reason):
        texts(tmp_path / name)


@pytest.mark.parametrize("values", [np.zeros((2, 3, 4), int), np.zeros((2, 3)), np.zeros((0, 3), int)], ids=str)
def test_numbers_that_are_of_no_words_are_refused(tmp_path: Path, values: Any) -> None:
    np.save(tmp_path / "ids.npy", values)
    with refused("arrays-shape", "numbers of words are whole"):
        texts(tmp_path / "ids.npy")


def test_one_line_alone_is_too_few(tmp_path: Path) -> None:
    path = write(tmp_path / "one.txt", "a rose is a rose")
    with refused("images-too-few"):
        ingested(tmp_path / "raw", source="text", path=str(path), options=OPTIONS)


@pytest.mark.parametrize("encoding", ["utf-9", "base64", "idna-8"])
def test_an_encoding_that_nobody_knows_is_refused(tmp_path: Path, encoding: str) -> None:
    with refused("params-invalid", "there is no encoding of text of this name"):
        texts(tmp_path / "a.txt", encoding=encoding)


def test_another_source_says_what_it_found_in_place_of_its_own_and_who_reads_text(tmp_path: Path) -> None:
    """Notes may be all that lies in a place that was named by mistake."""
    write(tmp_path / "texts/a.txt", "a")
    advice = "set ingest.path to another place, or, if text is the data, ingest.source to text"
    for place in (tmp_path / "texts", tmp_path / "texts/a.txt"):
        assert advice_on(place, but="folder") == advice
    with refused(
        "source-without-images", "texts holds no images", f", only 1 file such as {tmp_path}/texts/a.txt: {advice}"
    ):
        ingested(tmp_path / "raw", source="folder", path=str(tmp_path / "texts"))


def test_a_size_that_is_not_the_lines_own_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "lines.txt", "\n".join(LINES))
    ingested(tmp_path / "raw", source="text", path=str(path), options=OPTIONS)
    with refused(
        "medium-resized",
        "the lines have 8 words, and must keep them: set normalize.channels to 1, height to 1, width to 8",
    ):
        normalized(tmp_path, height=1, width=9)


def _npy(values: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


BASES: dict[str, Callable[[], st.SearchStrategy[bytes]]] = {
    "input.txt": lambda: st.text(max_size=60).map(str.encode) | st.binary(max_size=60),
    "input.csv": lambda: st.sampled_from([b"text,label\na,b\nc,d\n", b"1,2\n3,4\n", b'text\n"a\n']),
    "input.npy": lambda: st.just(_npy(np.arange(12).reshape(4, 3))),
    "input.zip": lambda: st.sampled_from(["a.txt", "x/b.txt", "/c.txt"]).map(lambda name: zipped({name: b"a b\nc\n"})),
}


@pytest.mark.parametrize("name", BASES)
@fuzzed
@given(data=st.data())
def test_any_bytes_are_lines_or_one_sentence(tmp_path: Path, name: str, data: st.DataObject) -> None:
    folder = tmp_path / "fuzz"
    folder.mkdir(exist_ok=True)
    inside = folder / "input"
    inside.mkdir(exist_ok=True)
    (inside / name).write_bytes(data.draw(damaged(BASES[name]())))
    taken(folder, "text", at=f"input/{name}")


def test_sentences_are_of_the_grammar_none_twice_and_the_same_for_a_seed() -> None:
    def draw_lines(seed: int) -> list[bytes]:
        source = open_source(ingest_params(source="sentences", path="unused", options={"sentences": 400, "seed": seed}))
        return [image.content for image in source.images if isinstance(image.content, bytes)]

    found = draw_lines(0)
    assert found == draw_lines(0) != draw_lines(1)
    assert len(set(found)) == 400
    assert all(is_sentence(one.decode().split()) for one in found)
    assert max(len(one.split()) for one in found) <= LONGEST < MEDIUM.length


@pytest.mark.parametrize(
    ("sentence", "right"),
    [
        ("the dogs that see a cat sleep", True),
        ("the dogs that see a cat sleeps", False),
        ("the dog that sees the cats sleeps", True),
        ("the dog that sees the cats sleep", False),
        ("every robot waits today", True),
        ("every robots wait today", False),
        ("the robot", False),
        ("sleep the robot", False),
        ("the robot waits purple", False),
        ("", False),
    ],
)
def test_a_verb_agrees_with_its_subject_even_from_afar(sentence: str, right: bool) -> None:
    assert is_sentence(sentence.split()) == right


def test_hardly_any_sentence_is_right_by_chance() -> None:
    random = np.random.default_rng(0)
    words = [word for _ in range(500) for word in draw_sentence(random)]
    shuffled = random.permutation(words).tolist()
    right = [is_sentence(shuffled[start : start + 5]) for start in range(0, len(shuffled) - 5, 5)]
    assert sum(right) / len(right) < 0.03
