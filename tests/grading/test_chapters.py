"""Whole chapters through the command: keys get full points, stubs none, honest answers theirs.

Two chapters whose cells run in seconds are graded in every run of the tests; all seventeen by
`make grading-all`.
"""

import copy
import json

import pytest
from nbformat.v4 import new_code_cell
from tests.grading import classes

from attnoise.grading.chapter import read_chapter

pytestmark = pytest.mark.sandbox
FAST = ("attention/attention", "latent/latent-space")
ALL = sorted(
    p.relative_to(classes.BOOK).with_suffix("").as_posix() for p in classes.BOOK.glob("*/*.ipynb")
)


def graded(folder, chapter, notebooks):
    """Grade notebooks, given by file name, and return the rows of the table."""
    for name, notebook in notebooks.items():
        if isinstance(notebook, bytes):
            (folder / "in").mkdir(exist_ok=True)
            (folder / "in" / name).write_bytes(notebook)
        else:
            classes.write(folder / "in" / name, notebook)
    done = classes.grade(folder / "in", folder / "out", "--chapter", chapter, "--jobs", 2)
    assert done.returncode == 0, done.stdout + done.stderr
    return classes.table(folder / "out")


def key_and_stub(folder, chapter):
    key = classes.cells_of(chapter)
    rows = graded(folder, chapter, {"key.ipynb": key, "stub.ipynb": classes.stubbed(key)})
    assert rows["key"]["total"] == rows["key"]["maximum"], rows["key"]["remarks"]
    assert rows["key"]["maximum"] == str(read_chapter(chapter).maximum)
    assert rows["stub"]["total"] == "0", rows["stub"]


@pytest.mark.parametrize("chapter", FAST[1:])
def test_keys_get_full_points_and_stubs_none(tmp_path, chapter):
    key_and_stub(tmp_path, chapter)


@pytest.mark.all_chapters
@pytest.mark.parametrize("chapter", ALL)
def test_keys_get_full_points_and_stubs_none_in_every_chapter(tmp_path, chapter):
    key_and_stub(tmp_path, chapter)


MASKED = """
def my_attention(query, key, value, mask):
    scores = {scores}
    return {weights} @ value
"""
SCALED = "query @ key.T / math.sqrt(query.shape[-1])"
FILLED = "torch.softmax(scores.masked_fill(~mask, -math.inf), -1)"


def honest():
    """Return natural notebooks of students who have all six answers."""
    key = classes.cells_of("attention/attention")
    answered, with_cell = classes.answered, classes.with_cell
    plain = MASKED.format(scores=SCALED, weights=FILLED)
    helper = (
        "def weights_of(scores, mask):\n    return scores.masked_fill(~mask, -math.inf).softmax(-1)"
    )
    found = {
        "key": key,
        "math and the page's names": answered(key, masked_attention=plain),
        "a helper cell": with_cell(
            answered(
                key,
                masked_attention=MASKED.format(scores=SCALED, weights="weights_of(scores, mask)"),
            ),
            helper,
        ),
        "a function of the page": answered(
            key,
            masked_attention="def my_attention(query, key, value, mask):\n"
            "    return attend(query, key, value, mask)[0]",
        ),
        "timed": answered(key, masked_attention="%%time\n" + plain.strip()),
        "plots": with_cell(
            key,
            "%matplotlib inline\nplt.plot([1, 2])\nplt.show()\nfrom IPython.display import display\ndisplay(plt.gcf())",
        ),
        "shell": with_cell(key, "!ls\n%pwd\n%env HOME"),
        "bash": with_cell(key, "%%bash\necho hello"),
        "failed experiments": with_cell(key, "1 / 0"),
        "asks": with_cell(key, "name = input('who? ')"),
        "unfinished cell": with_cell(key, "def half(:"),
        "Colab": with_cell(key, "from google.colab import drive\ndrive.mount('/content')"),
        "prints much": with_cell(key, "for i in range(3000): print('x' * 1000)"),
        "lambda": answered(key, variance_of_scores="my_variance = lambda k, s: k * s**4"),
        "partial": answered(
            key,
            variance_of_scores="from functools import partial\n"
            "def general(power, k, s): return k * s**power\n"
            "my_variance = partial(general, 4)",
        ),
        "object": answered(
            key,
            variance_of_scores="class V:\n    def __call__(self, k, s): return k * s**4\nmy_variance = V()",
        ),
        "numpy": answered(
            key,
            look_up_by_hand="import numpy as np\nmy_output = np.float64(22.0)",
            late_causal_mask="import numpy as np\ndef my_mask(n, m):\n"
            "    return torch.from_numpy(np.arange(m)[None] <= np.arange(m - n, m)[:, None])",
        ),
        "by numbers": answered(
            key,
            look_up_by_hand="# a fifth, three fifths, a fifth\nmy_output = torch.tensor(22)",
            how_sharp="my_factor = 32  # found by trying",
        ),
        "earlier answers": answered(
            key,
            two_back="def my_scores(n):\n    allowed = my_mask(n, n)\n"
            "    where = torch.arange(n)[:, None] - 2 == torch.arange(n)\n"
            "    return torch.where(where & allowed, 20.0, 0.0)",
        ),
        "in place": answered(
            key,
            two_back="def my_scores(n):\n    scores = torch.zeros(n, n)\n    for i in range(2, n):\n"
            "        scores[i, i - 2] = 30\n    return scores.requires_grad_()",
        ),
        "checks alone at the end": moved_checks(key),
        "checked in the answer's cell": answered(
            key, how_sharp="my_factor = 32\nprint(check.how_sharp(my_factor))"
        ),
        "edited chapter": edited(key),
        "tags lost": untagged(key),
        "Юлия Ковальчук": key,
        "attention (2) final": key,
    }
    return found


def moved_checks(notebook):
    made = copy.deepcopy(notebook)
    checks = [c for c in made.cells if "check" in c.metadata.get("tags", [])]
    made.cells = [c for c in made.cells if c not in checks] + checks
    return made


def edited(notebook):
    """Change a cell of the chapter, and leave a check out."""
    made = copy.deepcopy(notebook)
    cell = next(c for c in made.cells if c.cell_type == "code" and "def attend" in c.source)
    cell.source += "\n\nprint('tried')"
    made.cells = [c for c in made.cells if c.source != "check.two_back(my_scores)"]
    return made


def untagged(notebook):
    """Lose what a careless editor loses: tags, ids, outputs; and add a cell of another language."""
    made = copy.deepcopy(notebook)
    for cell in made.cells:
        cell.metadata = {"tags": None} if cell.cell_type == "code" else {}
        cell.pop("id", None)
    made.cells.append(new_code_cell("%%javascript\nalert(1)"))
    return made


def as_bytes(name, notebook):
    """Return a notebook's file; two of them with the marks of Windows."""
    text = json.dumps(notebook)
    if name == "key":
        notebook = copy.deepcopy(notebook)
        for cell in notebook.cells:
            cell.source = cell.source.replace("\n", "\r\n")
        return b"\xef\xbb\xbf" + json.dumps(notebook).encode()
    return text.encode()


def test_honest_answers_get_full_points_and_stubs_none(tmp_path):
    notebooks = {f"{name}.ipynb": as_bytes(name, nb) for name, nb in honest().items()}
    key = classes.cells_of(FAST[0])
    notebooks["stub.ipynb"] = classes.stubbed(key)
    rows = graded(tmp_path, FAST[0], notebooks)
    missed = {name: row["remarks"] for name, row in rows.items() if row["total"] != "12"}
    assert set(missed) == {"stub"}, missed
    assert rows["stub"]["total"] == "0"
