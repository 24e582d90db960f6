"""One set of migrations for both stores: sqlx applies them natively, wrangler to D1, with one result."""

import os
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

from checks import expect
from gateway import REPOSITORY, verify
from polling import wait_for
from world import Site

SEED = REPOSITORY / "migrations" / "seed" / "demo.sql"
WRANGLER = REPOSITORY / "node_modules" / ".bin" / "wrangler"
BOOKKEEPING = ("_sqlx_migrations", "d1_migrations", "_cf_", "sqlite_")


def wrangler(home: Path, *arguments: str | Path) -> None:
    """Runs wrangler as a user would, but with a home of its own, and without asking anybody anything."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "XDG_CONFIG_HOME": str(home), "CI": "1",
                   "WRANGLER_SEND_METRICS": "false", "WRANGLER_LOG_PATH": str(home / "log"), "NO_COLOR": "1"}
    done = subprocess.run([WRANGLER, *arguments], cwd=REPOSITORY, env=environment, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def d1_file(folder: Path) -> Path:
    """The database that wrangler keeps below a folder; its other files hold only metadata."""
    files = [file for file in folder.rglob("*.sqlite") if file.name != "metadata.sqlite"]
    assert len(files) == 1, files
    return files[0]


def schema(file: Path) -> dict:
    """Everything that a statement could notice of a database."""
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as db:
        objects = [row for row in db.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name")
                   if not row[1].startswith(BOOKKEEPING) and not row[2].startswith(BOOKKEEPING)]
        tables = [name for kind, name, *_ in objects if kind == "table"]
        flags = {row[1]: row[2:] for row in db.execute("PRAGMA table_list") if row[1] in tables}
        return {
            "objects": objects,
            "flags": flags,
            "columns": {table: db.execute(f"PRAGMA table_xinfo({table})").fetchall() for table in tables},
            "indexes": {table: [(index[1:], db.execute(f"PRAGMA index_xinfo({index[1]})").fetchall())
                                for index in db.execute(f"PRAGMA index_list({table})").fetchall()] for table in tables},
            "keys": {table: db.execute(f"PRAGMA foreign_key_list({table})").fetchall() for table in tables},
        }


@pytest.fixture(scope="module")
def d1(tmp_path_factory) -> Path:
    """A fresh D1 that wrangler has migrated: the folder it is in."""
    assert WRANGLER.exists(), "wrangler is not installed: run `cargo xtask test --only npm`"
    folder = tmp_path_factory.mktemp("d1")
    wrangler(folder, "d1", "migrations", "apply", "new-api", "--local", "--persist-to", folder)
    return folder


@pytest.mark.native
def test_both_stores_have_one_schema(d1, launcher):
    process = launcher()
    process.start()
    process.stop()
    native, worker = schema(process.directory / "gateway.db"), schema(d1_file(d1))
    assert {"users", "tokens", "channels", "calls"} <= set(native["columns"])
    for part in native:
        assert native[part] == worker[part], part
    process.remove()


@pytest.mark.native
def test_applying_twice_changes_nothing(d1):
    before = schema(d1_file(d1))
    wrangler(d1, "d1", "migrations", "apply", "new-api", "--local", "--persist-to", d1)
    assert schema(d1_file(d1)) == before


@pytest.mark.native
def test_the_demo_data_fits_both_stores(d1, launcher, upstream, canaries):
    """`npm run db:seed:local` loads it into D1; here it is used through the gateway too."""
    for _ in range(2):
        wrangler(d1, "d1", "execute", "new-api", "--local", "--persist-to", d1, "--yes", f"--file={SEED}")
    with sqlite3.connect(d1_file(d1)) as db:
        assert db.execute("SELECT COUNT(*), SUM(quota) FROM calls").fetchone() == (14, 14 * 1500)
    assert_books_add_up(d1_file(d1))
    process = launcher()
    process.start()
    process.stop()
    with sqlite3.connect(process.database()) as db:
        db.executescript(SEED.read_text())
    site = Site(process.start(), upstream, canaries)
    demo = site.login("demo", "demo123")
    rows = demo.get("/api/log/self")["items"]
    assert [(row["quota"], row["state"], row["price_version"]) for row in rows] == [(1500, "settled", 0)] * 14
    assert demo.get("/api/user/self")["used_quota"] == 14 * 1500
    assert demo.get("/api/log/self/stat")["quota"] == 14 * 1500
    key = next(line.split()[-1] for line in SEED.read_text().splitlines() if line.startswith("--   key "))
    expect(site.http.get("/v1/models", headers={"authorization": f"Bearer {key}"}), 200)
    site.close()
    process.stop()
    process.remove()
    shutil.rmtree(d1, ignore_errors=True)


@pytest.mark.native
@pytest.mark.parametrize("summed_up", [False, True], ids=["new", "in-use"])
def test_the_demo_data_can_be_loaded_late_and_again(launcher, summed_up):
    """A gateway has summed up days that are over, or it does so in between."""
    process = launcher()
    process.start()
    process.stop()
    sums = []
    for turn in range(2):
        with sqlite3.connect(process.database()) as db:
            if summed_up and turn == 0:
                db.execute("UPDATE usage_mark SET through = 'f'")
            db.executescript(SEED.read_text())
        assert_books_add_up(process.database())
        process.start()
        wait_for(lambda: read(process.database(), "SELECT through <> '' FROM usage_mark"), "the days to be summed up")
        process.stop()
        sums.append(read(process.database(), "SELECT SUM(quota) FROM usage_days"))
    # Whether the last day is over depends on the hour.
    assert sums[0] == sums[1] in (13 * 1500, 14 * 1500)
    process.remove()


def read(database: Path, query: str):
    """One value of a database that may be in use."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10) as db:
        return db.execute(query).fetchone()[0]


def assert_books_add_up(database: Path) -> None:
    verified = verify(database)
    assert (verified.returncode, verified.stdout) == (0, "the books add up\n"), verified
