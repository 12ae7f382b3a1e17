"""What tasks say of the rows that they have done."""

from pathlib import Path

from bulk_ingest import under_way
from bulk_ingest.under_way import Moved, UnderWay


def test_the_rows_of_all_tasks_are_added_up_while_they_last(tmp_path: Path) -> None:
    with UnderWay(tmp_path, "bucket-1") as one, UnderWay(tmp_path, "file-2") as other:
        one.add(30)
        other.add(12.4)
        found = under_way.moved(tmp_path)
        assert (found.rows, found.per_second > 0) == (42, True)
    assert under_way.moved(tmp_path) == Moved(0, 0.0)


def test_a_task_that_begins_anew_counts_no_more_than_its_rows(tmp_path: Path) -> None:
    with UnderWay(tmp_path, "bucket-1", most=10) as task:
        task.add(25)
        assert under_way.moved(tmp_path).rows == 10


def test_what_tasks_left_that_died_is_forgotten(tmp_path: Path) -> None:
    folder = tmp_path / "job"
    under_way.begin(folder)
    UnderWay(folder, "bucket-1").add(5)
    assert under_way.moved(folder).rows == 5
    under_way.begin(folder)
    assert under_way.moved(folder).rows == 0


def test_where_the_folder_of_the_job_is_not_nothing_is_said(tmp_path: Path) -> None:
    with UnderWay(tmp_path / "elsewhere", "bucket-1") as task:
        task.add(5)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_takes_nothing_fails_no_task(tmp_path: Path) -> None:
    (tmp_path / "under-way").write_text("a file where the folder should be")
    with UnderWay(tmp_path, "bucket-1") as task:
        task.add(5)
    assert under_way.moved(tmp_path) == Moved(0, 0.0)


def test_a_disk_that_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    assert under_way.moved(tmp_path / ("n" * 300)) == Moved(0, 0.0)
