"""The table is safe in spreadsheets, results are whole, and pages hold no code of students'."""

import csv

import pytest

from attnoise.grading import results, tables
from attnoise.grading.chapter import read_chapter
from attnoise.grading.results import FAILED, PASSED, UNGRADED, Mark, Result

CHAPTER = read_chapter("attention/attention")


def result(student="ada", status=PASSED, message="fine", **more):
    marks = [Mark(e.name, e.number, e.title, e.points, status, message) for e in CHAPTER.exercises]
    return Result(
        student, f"{student}.ipynb", "0", CHAPTER.name, "0.1", "bubblewrap", marks, **more
    )


def rows(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_columns_and_points(tmp_path):
    tables.write_table(tmp_path / "g.csv", [result(), result("bob", FAILED, "no")], CHAPTER)
    ada, bob = rows(tmp_path / "g.csv")
    names = [e.name for e in CHAPTER.exercises]
    assert list(ada) == ["student", *names, "total", "maximum", "version", "remarks"]
    assert (ada["total"], ada["maximum"], ada["remarks"]) == ("12", "12", "")
    assert bob["total"] == "0"
    assert "how_sharp: no" in bob["remarks"]
    assert (tmp_path / "g.csv").read_bytes().startswith(b"\xef\xbb\xbf")


@pytest.mark.parametrize("sign", list("=+-@") + [" =", "\t=", "\r="])
def test_no_cell_is_a_formula(tmp_path, sign):
    evil = result(f"{sign}cmd", FAILED, "x" * 10**6, remarks=[f"{sign}cmd|' /C calc'!A0"])
    tables.write_table(tmp_path / "g.csv", [evil], CHAPTER)
    (row,) = rows(tmp_path / "g.csv")
    assert row["student"].startswith("'")
    assert row["remarks"].startswith("'")
    assert len(row["remarks"]) <= 501
    assert "\n" not in row["remarks"]


def test_what_could_not_be_graded_has_no_points_and_is_listed(tmp_path):
    lost = result("bob", UNGRADED, "the sandbox failed")
    tables.write_table(tmp_path / "g.csv", [lost], CHAPTER)
    assert tables.write_look(tmp_path / "look.csv", [result(), lost]) == len(CHAPTER.exercises)
    (row,) = rows(tmp_path / "g.csv")
    assert (row["total"], row["how_sharp"], row["maximum"]) == ("", "", "12")
    assert {r["student"] for r in rows(tmp_path / "look.csv")} == {"bob"}


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_columns_that_somebody_added_stay_with_their_students(tmp_path, delimiter):
    path = tmp_path / "g.csv"
    tables.write_table(path, [result(), result("bob")], CHAPTER)
    table = [{**row, "late": f"-{i}", "note": "asked; twice"} for i, row in enumerate(rows(path))]
    table.append({"student": "zoe", "late": "0", "note": "on paper"})
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, table[0], delimiter=delimiter)
        writer.writeheader()
        writer.writerows(table[::-1])
    tables.write_table(path, [result(status=FAILED), result("bob"), result("cyd")], CHAPTER)
    ada, bob, cyd, zoe = rows(path)
    assert (ada["total"], ada["late"], ada["note"]) == ("0", "-0", "asked; twice")
    assert (bob["late"], cyd["late"], cyd["note"]) == ("-1", "", "")
    assert (zoe["student"], zoe["total"], zoe["note"]) == ("zoe", "", "on paper")


def test_statistics_count_what_was_said(tmp_path):
    class_ = [result(), result("bob", FAILED, "no"), result("cyd", FAILED, "no")]
    class_[1].marks[0].seconds, class_[2].marks[0].seconds = 1.0, 2.0
    tables.write_statistics(tmp_path / "s.csv", class_)
    found = rows(tmp_path / "s.csv")
    assert [row["exercise"] for row in found[::2]] == [e.name for e in CHAPTER.exercises]
    first, second = found[:2]
    assert (first["status"], first["students"], first["message"]) == ("failed", "2", "no")
    assert first["median seconds"] == "1.50"
    assert (second["status"], second["students"]) == ("passed", "1")


def test_results_come_back_and_damaged_ones_are_left_out(tmp_path):
    odd = result("Zoë \ud800 ✓", FAILED, "a\ud800b")
    results.write_whole(tmp_path / "a.json", odd.to_json())
    (tmp_path / "b.json").write_text(odd.to_json()[:-20], "utf-8", "replace")
    (back,) = results.load(tmp_path).values()
    assert back.marks == odd.marks
    assert not list(tmp_path.glob(".*"))


def test_names_of_files_are_safe_and_differ():
    names = [results.file_name(n) for n in ("../../etc", "a/b", "a_b", "Ада", "", "x" * 300, "CON")]
    assert len(set(names)) == len(names)
    assert all("/" not in n and not n.startswith(".") and len(n) < 80 for n in names)


def test_pages_hold_no_code_of_students(tmp_path):
    evil = result("<script>alert(1)</script>", FAILED, "<img src=x onerror=alert(1)>")
    tables.write_feedback(tmp_path, evil)
    (page,) = tmp_path.glob("*.html")
    text = page.read_text("utf-8")
    assert "<script" not in text
    assert "<img" not in text
    assert "&lt;img" in text
