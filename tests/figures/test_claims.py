"""The table of claims: its form, and what it refuses."""

import pytest

from attnoise.errors import ConfigError, ShapeError
from attnoise.figures.claims import COLUMNS, ClaimsTable

ROW = ("A helps.", "chance", "three seeds", "Fell: 1 | 2.")


def test_a_table_shows_its_rows_and_counts_its_verdicts():
    table = ClaimsTable(ROW, (*ROW[:3], "Stands."))
    lines = table._repr_markdown_().splitlines()
    assert lines[0] == f"| {' | '.join(COLUMNS)} |"
    assert lines[2] == "| A helps. | chance | three seeds | **Fell**: 1 \\| 2. |"
    assert repr(table) == "2 claims (stands: 1, fell: 1, undecided: 0)"


def test_a_row_without_a_verdict_or_a_column_is_refused():
    with pytest.raises(ConfigError, match="must begin with one of Stands, Fell, Undecided"):
        ClaimsTable((*ROW[:3], "It works."))
    with pytest.raises(ShapeError, match="rows must hold 4 texts each"):
        ClaimsTable(ROW[:3])
    with pytest.raises(ShapeError, match="rows must hold"):
        ClaimsTable()
