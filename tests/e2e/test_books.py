"""`gateway ledger verify`: it says that the books add up, and it finds whatever does not."""

import shutil
import sqlite3
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

import scripts
from checks import expect
from gateway import binary, verify
from polling import wait_for
from world import Lab, Site

pytestmark = pytest.mark.native


@pytest.fixture(scope="module")
def books(launcher, upstream, canaries, tmp_path_factory) -> Path:
    """The database of a gateway that was killed: calls that were settled, void, open, from days before, and a key with a cap."""
    process = launcher()
    site = Site(process.start(), upstream, canaries)
    lab = Lab(site)
    rig = lab.rig(owner=site.user(quota=1_000_000), token={"quota": 500_000})
    site.root.put(f"/api/user/{rig.user.id}", {"quota": {"grant": 500, "id": "a-grant"}})
    for script, status in [(scripts.chat(), 200), (scripts.chat(), 200), (scripts.error(400), 400)]:
        rig.route.play(script)
        rig.wait_row(expect(rig.chat(max_tokens=100), status))
    rig.route.play(scripts.broken_stream(["begun"], "stall"))
    with rig.raw(max_tokens=100) as connection:
        connection.read_until(b"begun")
        process.kill()
    folder = tmp_path_factory.mktemp("books")
    copy(process.database(), folder / "books.db")
    # Closed, so that nothing of it stays in the log: the file alone is copied below.
    with closing(sqlite3.connect(folder / "books.db")) as db, db:
        # As if the first call were from days before: it is in the sums of its day, and its row is gone.
        db.execute("INSERT INTO usage_days SELECT 20000, user_id, token_id, channel_id, model, 1, 0, prompt_tokens, completion_tokens, quota "
                   "FROM calls WHERE request_id = (SELECT MIN(request_id) FROM calls)")
        db.execute("UPDATE usage_mark SET through = (SELECT MIN(request_id) FROM calls)")
        db.execute("DELETE FROM calls WHERE request_id = (SELECT MIN(request_id) FROM calls)")
        states = db.execute("SELECT state, COUNT(*) FROM calls GROUP BY 1 ORDER BY 1").fetchall()
        assert states == [("held", 1), ("settled", 1), ("void", 1)], "each sort of call, or the tests below show little"
    process.stop()
    process.remove()
    site.close()
    return folder / "books.db"


def copy(source: Path, target: Path) -> None:
    """Everything that is committed, whatever of it is in the log yet."""
    with closing(sqlite3.connect(source)) as db, closing(sqlite3.connect(target)) as to:
        db.backup(to)


def test_books_that_add_up_are_said_to(books):
    done = verify(books)
    assert (done.returncode, done.stdout) == (0, "the books add up\n"), done


PAYER = "(SELECT user_id FROM tokens WHERE cap IS NOT NULL)"
CORRUPTIONS = {
    # What is done to the books, and of what it is said what.
    "users-held": (f"UPDATE users SET held = held + 1 WHERE id = {PAYER}", "user", "held"),
    "users-held-lost": (f"UPDATE users SET held = 0 WHERE id = {PAYER}", "user", "held"),
    "users-spent": (f"UPDATE users SET spent = spent + 1 WHERE id = {PAYER}", "user", "spent"),
    "users-granted": (f"UPDATE users SET granted = granted + 1 WHERE id = {PAYER}", "user", "granted"),
    "users-request-count": (f"UPDATE users SET request_count = request_count - 1 WHERE id = {PAYER}", "user", "request_count"),
    "tokens-held": ("UPDATE tokens SET held = held + 1 WHERE cap IS NOT NULL", "key", "held"),
    "tokens-spent": ("UPDATE tokens SET spent = spent - 1 WHERE cap IS NOT NULL", "key", "spent"),
    "tokens-request-count": ("UPDATE tokens SET request_count = request_count + 1 WHERE cap IS NOT NULL", "key", "request_count"),
    "a-charge-changed": ("UPDATE calls SET quota = quota - 1 WHERE state = 'settled'", "user", "spent"),
    "a-hold-changed": ("UPDATE calls SET amount = amount + 1 WHERE state = 'held'", "user", "held"),
    "a-row-lost": ("DELETE FROM calls WHERE state = 'settled'", "user", "spent"),
    "a-void-row-lost": ("DELETE FROM calls WHERE state = 'void'", "key", "request_count"),
    "an-open-call-lost": ("DELETE FROM calls WHERE state = 'held'", "key", "held"),
    "a-day-lost": ("DELETE FROM usage_days WHERE day > 0", "user", "spent"),
    "a-day-twice": ("UPDATE usage_days SET quota = 2 * quota", "key", "spent"),
    "the-mark-too-far": ("UPDATE usage_mark SET through = (SELECT MAX(request_id) FROM calls)", "user", "spent"),
    "the-mark-lost": ("INSERT INTO calls SELECT through || 'f', 'settled', user_id, token_id, 1, 0, 1, 1, price, created_at, "
                      "expires_at, NULL, model, 0, NULL, '', 0, 0, 0, 0, 0, 0, 0, '', 0, '[]', '[]', 0, NULL FROM usage_mark, calls "
                      "WHERE state = 'settled'", "user", "spent"),
    "a-grant-lost": ("DELETE FROM grants WHERE kind = 'grant'", "user", "granted"),
    "a-grant-changed": ("UPDATE grants SET amount = amount + 1 WHERE kind = 'grant'", "user", "granted"),
    "a-charge-for-nothing": ("UPDATE calls SET quota = 1, cost = 1 WHERE state = 'void'", "call", "charge of what no upstream accepted"),
    "an-open-call-too-old": ("UPDATE calls SET expires_at = 1 WHERE state = 'held'", "call", "open calls that should have ended"),
    "overdrawn": (f"PRAGMA ignore_check_constraints = 1; UPDATE users SET granted = spent WHERE id = {PAYER}; "
                  f"UPDATE grants SET amount = 0; UPDATE grants SET amount = (SELECT spent FROM users WHERE id = {PAYER}) WHERE kind = 'grant'",
                  "user", "overdrawn"),
    "beyond-its-cap": ("PRAGMA ignore_check_constraints = 1; UPDATE tokens SET cap = 0 WHERE cap IS NOT NULL", "key", "beyond its cap"),
}


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_whatever_does_not_add_up_is_found(books, tmp_path, name):
    change, subject, what = CORRUPTIONS[name]
    shutil.copy(books, tmp_path / "books.db")
    with closing(sqlite3.connect(tmp_path / "books.db")) as db, db:
        before = db.total_changes
        db.executescript(change)
        assert db.total_changes > before, "nothing was changed"
    done = verify(tmp_path / "books.db")
    assert done.returncode == 1, done
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith(f"{subject} ") and f": {what} is " in line], done.stdout
    assert "the books add up" not in done.stdout and len(lines) < 10, done.stdout


def test_a_figure_is_told_as_it_is_and_as_it_should_be(books, tmp_path):
    shutil.copy(books, tmp_path / "books.db")
    with closing(sqlite3.connect(tmp_path / "books.db")) as db, db:
        user, spent = db.execute(f"SELECT id, spent FROM users WHERE id = {PAYER}").fetchone()
        db.execute("UPDATE users SET spent = spent + 7 WHERE id = ?", (user,))
    assert verify(tmp_path / "books.db").stdout == f"user {user}: spent is {spent + 7}, and should be {spent}\n"


def test_the_end_of_a_site_fails_if_its_books_do_not_add_up(process):
    """The check that every other test relies on."""
    process.start()
    process.stop()
    with sqlite3.connect(process.database()) as db:
        db.execute("UPDATE users SET held = 1, granted = granted + 1")
    with pytest.raises(AssertionError, match="held is 1, and should be 0"):
        process.stop()
    with sqlite3.connect(process.database()) as db:
        db.execute("UPDATE users SET held = 0, granted = granted - 1")


def test_what_cannot_be_read_is_no_good_news(tmp_path):
    (tmp_path / "noise.db").write_bytes(b"no database at all, but longer than the head of one " * 40)
    sqlite3.connect(tmp_path / "empty.db").execute("CREATE TABLE other (x)")
    for name in ("missing.db", "noise.db", "empty.db"):
        done = verify(tmp_path / name)
        assert done.returncode != 0 and "the books add up" not in done.stdout and done.stderr.strip(), (name, done)
    assert not (tmp_path / "missing.db").exists(), "it only looks"


def test_looking_changes_nothing(books, tmp_path):
    shutil.copy(books, tmp_path / "books.db")
    before = (tmp_path / "books.db").read_bytes()
    verify(tmp_path / "books.db")
    assert (tmp_path / "books.db").read_bytes() == before


def test_the_database_is_named_by_the_environment_too(books):
    done = subprocess.run([binary(), "ledger", "verify"], env={"DATABASE_URL": f"sqlite://{books}"}, capture_output=True,
                          text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (0, "the books add up\n"), done


def test_the_books_add_up_at_every_moment(site):
    """It looks at one moment, while calls begin and end all the time."""
    lab = Lab(site)
    rig = lab.rig(owner=site.user(quota=30_000))
    looks = []
    with ThreadPoolExecutor(12) as pool:
        calls = [pool.submit(rig.chat, max_tokens=400) for _ in range(400)]
        while not all(call.done() for call in calls):
            looks.append(verify(site.gateway.database()))
        assert {call.result().status_code for call in calls} <= {200, 403, 429}
    paid = sum(call.result().status_code == 200 for call in calls)
    assert [done.stdout for done in looks] == ["the books add up\n"] * len(looks) and len(looks) >= 3
    wait_for(lambda: rig.token.fresh()["request_count"] == paid, "the calls to be settled")
    lab.close()
