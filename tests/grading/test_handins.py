"""Notebooks are found however a learning platform hands them out."""

import pytest

from attnoise.grading.handins import find


def found(folder, *paths):
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("{}")
    return {
        h.student: h.path and h.path.relative_to(folder).as_posix()
        for h in find(folder, "attention/attention")
    }


@pytest.mark.parametrize(
    ("path", "student"),
    [
        ("ada.ipynb", "ada"),
        ("Ада Лавлейс.ipynb", "Ада Лавлейс"),
        ("Ada Lovelace_4711_assignsubmission_file/attention.ipynb", "Ada Lovelace (4711)"),
        ("Ada Lovelace_4711_assignsubmission_file_/my work.ipynb", "Ada Lovelace (4711)"),
        ("lovelaceada_4711_90210_attention-1.ipynb", "lovelaceada (4711)"),
        ("lovelaceada_LATE_4711_90210_attention.ipynb", "lovelaceada (4711)"),
        ("submitted/ada/attention/attention.ipynb", "ada"),
        ("attention-ada/book/attention/attention.ipynb", "attention-ada"),
        ("ada_lovelace.ipynb", "ada_lovelace"),
    ],
)
def test_each_layout_names_its_student(tmp_path, path, student):
    assert found(tmp_path, path) == {student: path}


def test_among_many_notebooks_the_chapters_own_counts(tmp_path):
    paths = [f"ada/book/{name}.ipynb" for name in ("attention/attention", "attention/positions")]
    more = ["ada/old/attention.ipynb", "ada/.ipynb_checkpoints/attention-checkpoint.ipynb"]
    assert found(tmp_path, *paths, *more) == {"ada": "ada/book/attention/attention.ipynb"}


def test_an_empty_folder_is_listed_and_links_are_not_followed(tmp_path):
    (tmp_path / "bob").mkdir()
    secret = tmp_path.parent / "secret.ipynb"
    secret.write_text("{}")
    (tmp_path / "eve.ipynb").symlink_to(secret)
    (tmp_path / "eva").symlink_to(tmp_path.parent)
    assert found(tmp_path) == {"bob": None}


def test_two_of_one_name_are_told_apart(tmp_path):
    (tmp_path / "ada").mkdir()
    assert found(tmp_path, "ada.ipynb", "ada/x.ipynb") == {
        "ada": "ada.ipynb",
        "ada [2]": "ada/x.ipynb",
    }
    assert "another submission" in find(tmp_path, "attention/attention")[1].remarks[0]
