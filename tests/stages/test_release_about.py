"""What `releases list` and `show` say a release is, by its model card."""

import json

import pytest

from stages.releases.about import LARGEST_CARD
from tests.stages.release_trees import make_tree
from tests.stages.shared_store import Shared

NAME = "cgan on digits"


def card(name: str = NAME, verdict: str = "Good") -> str:
    """A card as select writes it, as far as this is read."""
    return (
        f"---\nmodel-index:\n- name: {json.dumps(name)}\n  results: []\n---\n\n# {name}\n\n"
        f"A generative adversarial network.\n\n**{verdict}: Frechet distance 2, as real images.** More.\n"
    )


def published(shared: Shared, text: str, seed: int = 0) -> str:
    """A release with this card; its name."""
    make_tree(shared.tree, seed=seed)
    (shared.tree / "models/selected/README.md").write_text(text)
    shared.run("publish", "--force")
    return str(json.loads(shared.run("list", "--json")[1])["channels"]["latest"])


def lines(shared: Shared) -> dict[str, str]:
    """What the list says of each release between its size and its channels, by its name."""
    code, printed = shared.run("list")
    assert code == 0, printed
    rows = (line.partition(" MB") for line in printed.splitlines())
    return {head.split()[0]: tail.replace("latest", "").strip() for head, _, tail in rows}


def test_a_list_says_of_each_release_which_family_of_which_data_and_how_good(shared: Shared) -> None:
    first, second = published(shared, card()), published(shared, card('wgan_gp on My "own" faces', "Poor"), seed=1)
    assert lines(shared) == {first: "cgan on digits, good", second: 'wgan_gp on My "own" faces, poor'}
    rows = json.loads(shared.run("list", "--json")[1])["releases"]
    found = {row["release"]: (row["family"], row["data"], row["verdict"]) for row in rows}
    assert found == {first: ("cgan", "digits", "good"), second: ("wgan_gp", 'My "own" faces', "poor")}


@pytest.mark.parametrize("verdict", ["Not judged", "Unknown"], ids=["now", "earlier"])
def test_show_says_so_before_the_files(shared: Shared, verdict: str) -> None:
    release = published(shared, card(verdict=verdict))
    first = shared.run("show", "latest")[1].splitlines()[0]
    assert first.startswith(f"release {release}: cgan on digits, not judged (")
    shown = json.loads(shared.run("show", "latest", "--json")[1])
    assert (shown["family"], shown["data"], shown["verdict"]) == ("cgan", "digits", "unknown")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ""),
        ("# A generator of an earlier version\n", ""),
        ('---\nmodel-index:\n- name: "cgan on \\ud8"\n---\n**Fair: so.**\n', "fair"),
        ("---\nmodel-index:\n- name: cgan on digits\n---\n", ""),
        (card("cgan on a\x1b[31m\nred"), "cgan on a [31m red, good"),
        (card("cgan on " + "long" * 100), "cgan on " + ("long" * 100)[:59] + "…, good"),
        (card() + "x" * LARGEST_CARD, ""),
    ],
    ids=["empty", "earlier", "half a letter", "no text", "of a terminal", "long", "large"],
)
def test_a_card_that_does_not_say_it_hides_no_release(shared: Shared, text: str, said: str) -> None:
    whole, other = published(shared, card()), published(shared, text, seed=1)
    assert lines(shared) == {whole: "cgan on digits, good", other: said}


def test_a_release_that_has_lost_its_card_is_listed_and_shown(shared: Shared) -> None:
    release = published(shared, card())
    shared.store.remove([f"releases/{release}/README.md"])
    assert lines(shared) == {release: ""}
    assert shared.run("show", "latest")[1].startswith(f"release {release} (")


def test_what_made_a_release_names_python_beside_its_version(shared: Shared) -> None:
    make_tree(shared.tree)
    made = {"machine": {"device": "cpu", "platform": "Linux-6.1", "python": "3.11.7"}}
    (shared.tree / "provenance/train.json").write_text(json.dumps(made))
    shared.run("publish", "--force")
    assert "cpu, Linux-6.1, Python 3.11.7: " in shared.run("show", "latest")[1]
