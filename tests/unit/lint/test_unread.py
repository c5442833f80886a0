"""Files that look meant for the project and are never read."""

from __future__ import annotations


def told(found):
    return [(one.place.file, one.severity, one.message, one.try_) for one in found if one.code == "wrong-folder"]


def test_what_nothing_reads_is_told(linted, rules):
    book = rules("condition: event.a == 1")
    found = told(
        linted(
            {
                "rulebooks/UP.YML": book,
                "rulebook/web.yml": book,
                "playbok/x.yml": "[]",
                "script/x.txt": "x",
                "docs/x.yml": "a: 1",
            }
        )
    )
    assert found == [
        ("playbok/x.yml", "warning", "nothing reads the folder playbok/", "did you mean playbooks/?"),
        ("rulebook/web.yml", "warning", "nothing reads the folder rulebook/", "did you mean rulebooks/?"),
        ("rulebooks/UP.YML", "warning", "files that end in .YML are not read", "call it UP.yml"),
    ]


def test_of_folders_that_are_read_nothing_is_told(linted, rules):
    assert (
        told(
            linted(
                {"rulebooks/web.yml": rules("condition: event.a == 1"), "playbooks/x.yml": "[]", "vars/x.yml": "a: 1"}
            )
        )
        == []
    )


def test_a_folder_that_cannot_be_read_is_left_alone(linted, rules, tmp_path):
    (tmp_path / "rulebook").symlink_to(tmp_path / "nowhere")
    assert told(linted({"rulebooks/web.yml": rules("condition: event.a == 1")})) == []
