"""What once broke something does not any more: each case of the corpus, replayed."""

from pathlib import Path

import pytest

from tests.fuzz.case import Case, timed
from tests.fuzz.seeds import CORPUS

FILES = sorted(CORPUS.glob("*.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_broke_once_does_not_any_more(path: Path, tmp_path: Path) -> None:
    assert timed(Case.read(path), tmp_path)
