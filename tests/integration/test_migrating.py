"""Tables change beside a service that uses them: a change waits for a moment alone, and tries again."""

import subprocess
import sys

import psycopg

from tests.conftest import ROOT


def test_a_change_that_finds_its_table_in_use_tries_again(database: str) -> None:
    manage = (sys.executable, "manage.py")
    # The next one widens a column of auth_user.
    subprocess.run((*manage, "migrate", "auth", "0011"), cwd=ROOT, check=True, capture_output=True, timeout=120)
    with psycopg.connect(database) as user:
        user.execute("SELECT count(*) FROM auth_user")
        with subprocess.Popen(
            (*manage, "bootstrap", "--migrate"), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            assert process.stdout
            said = ""
            for line in process.stdout:
                said += line
                if "trying again" in line:
                    user.rollback()
            assert process.wait() == 0, said
    assert "a table is in use; trying again" in said
    with psycopg.connect(database) as after:
        width = "SELECT character_maximum_length FROM information_schema.columns WHERE column_name = 'first_name'"
        assert after.execute(width).fetchone() == (150,)
