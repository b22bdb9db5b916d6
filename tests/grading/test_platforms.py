"""Points reach the right row of a platform's table, and nothing else in it changes."""

import csv
import re
import shlex

import pytest
from tests.grading import classes

from attnoise.grading import platforms
from attnoise.grading.__main__ import main
from attnoise.grading.platforms import Unfit, export

GRADES = """student,look_up,total,maximum,version,remarks,late
lovelaceada (4711),2,12,12,0.1,,-1
gaußcf (4712),2,7,12,0.1,how_sharp: no,
grace@uni.edu,0,,12,0.1,the grader could not run this,
nobody,2,5,12,0.1,,
"""
CANVAS = """Student,ID,SIS User ID,SIS Login ID,Section,Essay (7),Attention (8),Current Score
,,,,,Manual Posting,,
    Points Possible,,,,,10,12,(read only)
"Lovelace, Ada",4711,s1,ada@uni.edu,A,9,,90
"Gauß, Carl",4712,s2,cf@uni.edu,A,8,1,80
"Hopper, Grace",4713,s3,grace@uni.edu,B,7,3,70
"Noether, Emmy",4714,s4,emmy@uni.edu,B,6,,60
"""
MOODLE = """Identifier,Full name,Email address,Status,Grade,Maximum Grade,Grade can be changed,\
Last modified (grade),Feedback comments
Participant 4711,Ada Lovelace,ada@uni.edu,Submitted for grading,,12.00,Yes,-,
Participant 4712,Carl Gauß,cf@uni.edu,Submitted for grading,3.00,12.00,No,-,
Participant 4713,Grace Hopper,grace@uni.edu,Submitted for grading,2.00,12.00,Yes,-,see me
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "grades.csv").write_text(GRADES, "utf-8-sig")
    (tmp_path / "canvas.csv").write_text(CANVAS, "utf-8-sig")
    (tmp_path / "moodle.csv").write_text(MOODLE, "utf-8")
    return tmp_path


def exported(folder, platform, column, **more):
    done = export(
        platform,
        folder / "grades.csv",
        folder / f"{platform}.csv",
        folder / "out.csv",
        column,
        **more,
    )
    with (folder / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        return done, list(csv.DictReader(file))


def test_canvas_gets_one_column_and_its_own_identities(folder):
    done, rows = exported(folder, "canvas", "Attention")
    assert list(rows[0]) == [
        *("Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Attention (8)")
    ]
    points = {row["Student"]: row["Attention (8)"] for row in rows}
    assert points["Lovelace, Ada"] == "12"
    assert points["Gauß, Carl"] == "7"
    assert points["Hopper, Grace"] == "3", "without a total the old points stay"
    assert points["Noether, Emmy"] == "", "who handed in nothing gets nothing"
    assert rows[1] == {**rows[1], "Student": "    Points Possible", "Attention (8)": "12"}
    assert done.count == 2
    assert [line.split(":")[0] for line in done.left] == ["nobody", "grace@uni.edu"]


def test_own_columns_are_added_up(folder):
    _, rows = exported(folder, "canvas", "Attention (8)", points=("total", "late"))
    assert [row["Attention (8)"] for row in rows[2:4]] == ["11", "7"]


def test_moodle_gets_grades_and_comments_where_it_allows_them(folder):
    done, rows = exported(folder, "moodle", "Grade")
    assert [row["Grade"] for row in rows] == ["12", "3.00", "2.00"]
    assert list(rows[0]) == MOODLE.splitlines()[0].split(",")
    assert rows[2]["Feedback comments"] == "see me"
    assert done.count == 1
    assert any("cannot be changed" in line for line in done.left)


def test_a_moodle_comment_says_what_is_missing(folder):
    text = MOODLE.replace(",No,", ",Yes,")
    (folder / "moodle.csv").write_text(text, "utf-8")
    _, rows = exported(folder, "moodle", "Grade")
    assert rows[1]["Grade"] == "7"
    assert rows[1]["Feedback comments"] == "how_sharp: no"


def test_a_number_behind_a_name_counts_alone(folder):
    text = GRADES.replace("lovelaceada (4711)", "Grace Hopper (9999)")
    (folder / "grades.csv").write_text(text, "utf-8")
    done, rows = exported(folder, "canvas", "Attention")
    assert rows[4]["Attention (8)"] == "3"
    assert "Grace Hopper (9999): no row of this name" in done.left


@pytest.mark.parametrize("name", ["Ada Lovelace", "lovelace, ada", "ADA@UNI.EDU", "s1"])
def test_names_as_canvas_knows_them(folder, name):
    text = GRADES.replace("lovelaceada (4711)", f'"{name}"')
    (folder / "grades.csv").write_text(text, "utf-8")
    _, rows = exported(folder, "canvas", "Attention")
    assert rows[2]["Attention (8)"] == "12"


def test_two_people_of_one_name_and_two_files_of_one_person_are_left_to_the_instructor(folder):
    (folder / "canvas.csv").write_text(CANVAS.replace("Noether, Emmy", "Hopper, Grace"), "utf-8")
    text = GRADES.replace("nobody", "Grace Hopper").replace("gaußcf (4712)", "Ada Lovelace")
    (folder / "grades.csv").write_text(text, "utf-8")
    done, rows = exported(folder, "canvas", "Attention")
    assert [row["Attention (8)"] for row in rows[2:]] == ["", "1", "3", ""]
    assert "Grace Hopper: 2 rows of this name" in done.left
    assert sum("one row for 2 submissions" in line for line in done.left) == 2


def test_semicolons_stay_semicolons(folder):
    text = MOODLE.replace(",", ";")
    (folder / "moodle.csv").write_text(text, "utf-8")
    export("moodle", folder / "grades.csv", folder / "moodle.csv", folder / "o.csv", "Grade")
    assert (folder / "o.csv").read_text("utf-8-sig").splitlines()[1].split(";")[4] == "12"


def test_other_maxima_are_refused_or_scaled(folder):
    with pytest.raises(Unfit, match=r"Essay \(7\) gives at most 10 points .* has 12"):
        exported(folder, "canvas", "Essay")
    assert not (folder / "out.csv").exists()
    _, rows = exported(folder, "canvas", "Essay", scale=True)
    assert [row["Essay (7)"] for row in rows[2:4]] == ["10", "5.83"]


@pytest.mark.parametrize(
    ("platform", "column", "change", "message"),
    [
        ("canvas", "Masks", None, "no assignment 'Masks'. It has: Essay (7), Attention (8)"),
        ("canvas", "Attention", ("canvas.csv", "ID,", "Id,"), "has no column ID"),
        ("canvas", "Essay", ("canvas.csv", "Attention (8)", "Essay (9)"), "several columns Essay"),
        ("moodle", "Note", None, "has no column Note. Its columns: Identifier, Full name"),
        ("moodle", "Grade", ("grades.csv", "total", "sum"), "grades.csv has no column total"),
        ("moodle", "Grade", ("grades.csv", ",12,12", ",all,12"), "has 'all' in total; a number"),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_written(
    folder, platform, column, change, message
):
    if change:
        path = folder / change[0]
        path.write_text(path.read_text("utf-8-sig").replace(*change[1:]), "utf-8")
    with pytest.raises(Unfit) as caught:
        exported(folder, platform, column)
    assert message in str(caught.value)
    assert not (folder / "out.csv").exists()


def run(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["grading", "export", *map(str, arguments)])
    main()


def test_the_command_says_who_was_left(folder, monkeypatch, capsys):
    own = [folder / "grades.csv", folder / "canvas.csv"]
    out = folder / "up.csv"
    run(monkeypatch, "canvas", *own, "--out", out, "--column", "Attention")
    said = capsys.readouterr().out
    assert "2 students have points" in said
    assert "left as it was: nobody: no row" in said
    for more, message in [
        (["--out", out], "--column NAME"),
        (["--out", own[1], "--column", "Attention"], "Name another file"),
        (["--out", out, "--column", "Masks"], "no assignment 'Masks'"),
    ]:
        with pytest.raises(SystemExit, match=message):
            run(monkeypatch, "canvas", *own, *more)


def test_latin_letters_of_an_old_spreadsheet_are_named(folder):
    (folder / "moodle.csv").write_bytes(MOODLE.encode("latin-1"))
    with pytest.raises(Unfit, match="cannot be read as text in UTF-8"):
        exported(folder, "moodle", "Grade")
    assert platforms.shown(7.0) == "7"


def test_the_guides_commands_run_as_they_stand(folder, monkeypatch):
    text = (classes.BOOK / "teaching" / "guide.md").read_text("utf-8")
    commands = re.findall(r"^\.venv/bin/python -m attnoise\.grading (export .+)$", text, re.M)
    assert len(commands) == 2
    (folder / "GRADES").mkdir()
    (folder / "grades.csv").rename(folder / "GRADES" / "grades.csv")
    (folder / "canvas.csv").rename(folder / "GRADEBOOK.csv")
    (folder / "moodle.csv").rename(folder / "WORKSHEET.csv")
    monkeypatch.chdir(folder)
    for command in commands:
        monkeypatch.setattr("sys.argv", ["grading", *shlex.split(command)])
        main()
        assert "12" in (folder / "UPLOAD.csv").read_text("utf-8-sig")
        (folder / "UPLOAD.csv").unlink()
