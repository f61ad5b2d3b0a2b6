"""Alignment: the order is kept, every item has one place, and swapping swaps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mbprof
from mbprof.compare.align import align, align_all, likeness, octave, parts_of
from mbprof.errors import LimitError

WORDS = st.text("abcd", max_size=12)


def equal(one: str, other: str) -> int:
    return int(one == other)


def near(one: str, other: str) -> int:
    """Like the likeness of layers: symmetric, most for the same, 0 for what is far apart."""
    return max(0, 3 - abs(ord(one) - ord(other)))


@given(WORDS, WORDS, st.sampled_from([equal, near]))
def test_every_item_has_one_place_in_its_order(one: str, other: str, score: object) -> None:
    pairs = align(one, other, near if score is near else equal)
    assert [i for i, _ in pairs if i is not None] == list(range(len(one)))
    assert [j for _, j in pairs if j is not None] == list(range(len(other)))
    assert (None, None) not in pairs


@given(WORDS, WORDS)
def test_swapping_the_sequences_swaps_the_pairs(one: str, other: str) -> None:
    assert set(align(one, other, near)) == {(i, j) for j, i in align(other, one, near)}


@given(WORDS)
def test_a_sequence_aligns_with_itself(word: str) -> None:
    assert align(word, word, near) == tuple((k, k) for k in range(len(word)))


@given(st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_the_alignment_is_the_best(one: str, other: str) -> None:
    def best(i: int, j: int) -> int:
        if i == len(one) or j == len(other):
            return 0
        pair = near(one[i], other[j])
        return max(best(i + 1, j), best(i, j + 1), (pair + best(i + 1, j + 1)) if pair else 0)

    pairs = align(one, other, near)
    found = sum(near(one[i], other[j]) for i, j in pairs if i is not None and j is not None)
    assert found == best(0, 0)


@given(st.lists(WORDS, max_size=4))
def test_several_sequences_keep_their_order(words: list[str]) -> None:
    rows = align_all(words, near)
    for number, word in enumerate(words):
        assert "".join(row[number] or "" for row in rows) == word
    assert all(any(item is not None for item in row) for row in rows)


def test_too_long_sequences_are_refused() -> None:
    with pytest.raises(LimitError, match="600,000 and 600,000 layers"):
        align("ab" * 300_000, "ba" * 300_000, equal)


def test_the_size_of_an_output_is_counted_in_halvings() -> None:
    image = (3, 224, 224)
    sizes = {112: 1, 111: 1, 56: 2, 28: 3, 14: 4, 7: 5}
    assert {size: octave(image, (8, size, size)) for size in sizes} == sizes
    assert octave(image, (8, 1, 1)) is None
    assert octave(image, (8,)) is None


ROW = "  - {{op: dw_sep, c: {c}}}\n"
TEXT = "name: net\ninput: {{res: 32}}\nbody:\n  - {{op: conv, k: 3, c: 8, s: 2}}\n{rows}"


def names(old: str, new: str) -> list[tuple[str, str]]:
    found = []
    for text in (old, new):
        network = mbprof.loads(text).build()
        found.append(parts_of(network, network.profile(scope="all"), "block"))
    pairs = align(found[0], found[1], likeness)
    return [
        (
            found[0][i].row.name if i is not None else "",
            found[1][j].row.name if j is not None else "",
        )
        for i, j in pairs
    ]


def test_a_row_added_above_moves_names_not_layers() -> None:
    old = TEXT.format(rows="".join(ROW.format(c=c) for c in (16, 24, 32)))
    new = TEXT.format(rows="".join(ROW.format(c=c) for c in (16, 16, 24, 32)))
    assert names(old, new) == [
        ("conv_1", "conv_1"),
        ("dw_sep_1", "dw_sep_1"),
        ("", "dw_sep_2"),
        ("dw_sep_2", "dw_sep_3"),
        ("dw_sep_3", "dw_sep_4"),
    ]


def test_layers_that_grow_wider_keep_their_partners() -> None:
    old = TEXT.format(rows="".join(ROW.format(c=c) for c in (16, 24, 32)))
    new = TEXT.format(rows="".join(ROW.format(c=c) for c in (24, 32, 48)))
    assert all(one == other for one, other in names(old, new))
