"""The table near a chapter's end: what it claims, and what came out of the controls."""

from collections.abc import Sequence

from ..errors import ConfigError, ShapeError

COLUMNS = ("claim", "what else could explain it", "control", "what came out")
VERDICTS = ("Stands", "Fell", "Undecided")


class ClaimsTable:
    """A table of claims, shown as a table on the page, in JupyterLab and on GitHub.

    Args:
        rows: Four short texts each: the claim as a sentence, another explanation of what was seen,
            the control that could refute the claim, and what came out. The last one begins with
            "Stands", "Fell" or "Undecided" and holds the computed numbers.

    Raises:
        ShapeError: A row does not hold four texts, or there is none.
        ConfigError: An outcome does not begin with a verdict.
    """

    def __init__(self, *rows: Sequence[str]) -> None:
        if not rows or any(len(row) != len(COLUMNS) for row in rows):
            raise ShapeError(
                f"rows must hold {len(COLUMNS)} texts each: {', '.join(COLUMNS)}; they hold "
                f"{[len(row) for row in rows]}."
            )
        for row in rows:
            if not row[-1].startswith(VERDICTS):
                raise ConfigError(
                    f"what came out must begin with one of {', '.join(VERDICTS)}, but it is "
                    f"{row[-1]!r}."
                )
        self.rows = [tuple(row) for row in rows]

    def __repr__(self) -> str:
        found = [sum(row[-1].startswith(verdict) for row in self.rows) for verdict in VERDICTS]
        counts = ", ".join(
            f"{verdict.lower()}: {n}" for verdict, n in zip(VERDICTS, found, strict=True)
        )
        return f"{len(self.rows)} claims ({counts})"

    def _repr_markdown_(self) -> str:
        lines = [COLUMNS, ("---",) * len(COLUMNS), *map(self._bold, self.rows)]
        return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)

    @staticmethod
    def _bold(row: tuple[str, ...]) -> tuple[str, ...]:
        verdict = next(verdict for verdict in VERDICTS if row[-1].startswith(verdict))
        cells = [cell.replace("|", "\\|") for cell in row]
        return *cells[:-1], f"**{verdict}**{cells[-1][len(verdict) :]}"
