"""Making the database, and refusing one that is not this program's."""

import asyncio
import ctypes
import json
import shutil
import sqlite3
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from mailer.errors import SchemaError, StoreError
from mailer.store import articles, editions, feeds, schema
from mailer.store.database import Database, make_engine, parse_url
from mailer.store.instant import to_moment
from mailer.store.tables import metadata
from mailer.store.upgrade import configuration, upgrade


def execute(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def dump(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    lines = list(connection.iterdump())
    connection.close()
    return lines


def test_the_migrations_make_exactly_the_tables_of_this_program(migrated):
    engine = create_engine(f"sqlite:///{migrated}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_the_migrations_make_the_small_indexes_with_their_conditions(migrated, tmp_path):
    """Autogenerate doesn't look at an index's condition."""
    engine = create_engine(f"sqlite:///{tmp_path}/made.db")
    metadata.create_all(engine)
    engine.dispose()

    def indexes(path: Path) -> dict[str, str]:
        connection = sqlite3.connect(path)
        found = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql NOT NULL"))
        connection.close()
        return found

    found = indexes(migrated)
    assert found == indexes(tmp_path / "made.db")
    assert sum("WHERE" in sql for sql in found.values()) == 9


def test_a_subscribers_number_is_never_used_twice(migrated, tmp_path):
    path = Path(shutil.copy(migrated, tmp_path / "mailer.db"))
    insert = (
        "INSERT INTO subscribers (email, name, state, cadence, timezone, language, interest_set_id, generation, "
        "joined_at) VALUES ('{}', '', 'active', 'daily', '', '', 1, 1, 0)"
    )
    execute(path, insert.format("a"), insert.format("b"), "DELETE FROM subscribers", insert.format("c"))
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT id FROM subscribers").fetchall() == [(3,)]
    connection.close()


def test_the_newest_version_is_the_newest_migration():
    assert ScriptDirectory.from_config(configuration()).get_heads() == [schema.HEAD]


def test_upgrade_makes_a_missing_database_for_its_owner_only(tmp_path):
    path = tmp_path / "100% new.db"
    assert upgrade(f"sqlite:///{path}") == ("", schema.HEAD)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with Database(f"sqlite:///{path}"):
        pass


def test_upgrade_twice_changes_nothing(database_path, database_url):
    before = dump(database_path)
    assert upgrade(database_url) == (schema.HEAD, schema.HEAD)
    assert dump(database_path) == before


async def test_upgrade_leaves_a_database_in_use_alone(database, database_url):
    assert upgrade(database_url) == (schema.HEAD, schema.HEAD)
    assert await database.read(schema.current) == schema.HEAD


def test_a_database_of_the_first_version_keeps_what_it_has(tmp_path):
    path = tmp_path / "mailer.db"
    engine = make_engine(parse_url(f"sqlite:///{path}"), begin="BEGIN IMMEDIATE")
    with engine.begin() as connection:
        settings = configuration()
        settings.attributes["connection"] = connection
        command.upgrade(settings, "0001")
    engine.dispose()
    execute(
        path,
        "INSERT INTO feeds (url, title, removed, taken, etag, last_modified, problem) "
        "VALUES ('https://x.example/feed', 'X', 0, 1, '', '', '')",
        "INSERT INTO articles (seq, origin, guid, title, link, summary, author, topics, language, minutes, hidden, "
        "known, pins) VALUES (1, 'feed:1', 'g', 'T', 'https://www.x.example/t/', '', '', '[]', '', 0, 0, 0, '[]')",
        "INSERT INTO editions (cadence, period, state, reason, due_at, planned_at, planned, nonce, key_id) "
        "VALUES ('daily', '2026-11-23', 'done', '', 0, 0, 0, '', '')",
        "INSERT INTO variants (edition_id, lo, since, language, articles, more, subject, content) "
        "VALUES (1, 0, 5000, 'en', '[]', 0, '', '')",
    )
    assert upgrade(f"sqlite:///{path}") == ("0001", schema.HEAD)
    with Database(f"sqlite:///{path}") as database:
        [feed] = asyncio.run(database.read(feeds.every))
        [article] = asyncio.run(database.read(articles.latest, 10))
        [edition] = asyncio.run(database.read(editions.latest, 10))
        again = replace(article.draft, guid="of another feed", link="http://x.example/t?utm_source=rss")
        assert asyncio.run(database.write(articles.take_in, "feed:2", [(again, False)])) == (0, 0)
    assert (feed.title, article.draft.title, edition.period, edition.findings) == ("X", "T", "2026-11-23", ())
    assert edition.since == to_moment(5000)  # of a cadence's first edition, where only its variants had it


# --- what is refused, with what to do


def refused(url: str) -> str:
    with pytest.raises(StoreError) as caught:
        Database(url)
    return str(caught.value)


def test_a_missing_database_is_not_made_by_opening_it(tmp_path):
    assert "Run `mailer upgrade` to make one." in refused(f"sqlite:///{tmp_path}/none.db")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_is_no_database_yet(tmp_path):
    (tmp_path / "mailer.db").touch()
    assert refused(f"sqlite:///{tmp_path}/mailer.db") == (
        "The database has no tables yet. Run `mailer upgrade` to make them."
    )
    assert upgrade(f"sqlite:///{tmp_path}/mailer.db") == ("", schema.HEAD)


def test_an_older_database_is_refused_until_it_is_upgraded(database_path, database_url):
    execute(database_path, "UPDATE alembic_version SET version_num = '0000'")
    assert refused(database_url) == (
        f"The database is of version 0000, this program needs {schema.HEAD}. Run `mailer upgrade`."
    )


def test_a_newer_database_is_refused_by_everything(database_path, database_url):
    execute(database_path, "UPDATE alembic_version SET version_num = '9001'")
    before = dump(database_path)
    assert "made by a newer mailer" in refused(database_url)
    with pytest.raises(SchemaError, match="Install the newer mailer, or restore a backup from before its upgrade"):
        upgrade(database_url)
    assert dump(database_path) == before


@pytest.mark.parametrize(
    "damage",
    ["DROP TABLE attempts", "ALTER TABLE attempts DROP COLUMN outcome"],
)
def test_a_half_made_database_is_refused_by_everything(database_path, database_url, damage):
    execute(database_path, damage)
    assert "an upgrade was broken off. Restore the backup" in refused(database_url)
    with pytest.raises(SchemaError, match="an upgrade was broken off"):
        upgrade(database_url)


def test_tables_without_a_version_are_refused_by_everything(database_path, database_url):
    execute(database_path, "DROP TABLE alembic_version")
    assert "tables but no version" in refused(database_url)
    with pytest.raises(SchemaError, match="tables but no version"):
        upgrade(database_url)


def test_another_programs_database_is_refused_and_not_touched(tmp_path):
    path = tmp_path / "bookmarks.db"
    execute(path, "CREATE TABLE bookmarks (url TEXT)", "INSERT INTO bookmarks VALUES ('https://x.example')")
    before = dump(path)
    assert "another program's" in refused(f"sqlite:///{path}")
    with pytest.raises(SchemaError, match=r"point \[store\] url elsewhere"):
        upgrade(f"sqlite:///{path}")
    assert dump(path) == before


def test_a_file_that_is_no_database_is_refused_and_not_touched(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("Dear diary, " * 500)
    assert "The file is no SQLite database" in refused(f"sqlite:///{path}")
    with pytest.raises(StoreError, match="The file is no SQLite database"):
        upgrade(f"sqlite:///{path}")
    assert path.read_text() == "Dear diary, " * 500


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mailer.db", "is no database address. Write sqlite:///mailer.db"),
        ("mysql://root@localhost/mailer", "this version speaks SQLite"),
        ("sqlite://", "would forget who got what"),
        ("sqlite:///:memory:", "would forget who got what"),
    ],
)
def test_an_address_that_will_not_do_is_refused(url, sentence):
    assert sentence in refused(url)
    with pytest.raises(StoreError):
        upgrade(url)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(StoreError, match="none does not exist"):
        upgrade(f"sqlite:///{tmp_path}/none/mailer.db")


# --- read-only

_PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE = 24, 1
_TRY = """
import asyncio, json, sys
from datetime import timedelta
from mailer.errors import StoreError
from mailer.store import recovery
from mailer.store.database import Database
from mailer.store.upgrade import upgrade

async def write(url):
    with Database(url) as database:
        await database.write(recovery.begin_epoch, timedelta(minutes=30))

def said(work):
    try:
        work()
    except StoreError as error:
        return str(error)

file, folder, new = sys.argv[1:]
print(json.dumps([
    said(lambda: asyncio.run(write(file))),
    said(lambda: asyncio.run(write(folder))),
    said(lambda: upgrade(folder)),
    said(lambda: upgrade(new)),
]))
"""


def _obey_file_modes() -> None:
    """Root, which tests in a container are, may write anywhere; the child gives that up."""
    ctypes.CDLL(None).prctl(_PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE, 0, 0, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="root gives up its right to write anywhere by a call of Linux")
def test_a_read_only_database_is_refused_with_a_sentence(migrated, tmp_path):
    file, folder = tmp_path / "file", tmp_path / "folder"
    for each in (file, folder):
        each.mkdir()
        shutil.copy(migrated, each / "mailer.db")
    (file / "mailer.db").chmod(0o400)
    folder.chmod(0o500)
    paths = [file / "mailer.db", folder / "mailer.db", folder / "new.db"]
    try:
        done = subprocess.run(
            [sys.executable, "-c", _TRY, *(f"sqlite:///{path}" for path in paths)],
            check=True,
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[2],
            preexec_fn=_obey_file_modes,
        )
    finally:
        folder.chmod(0o700)
    lock = f"The file {folder}/mailer.db-turnstile can't be written: Permission denied."
    lock += " Check its owner, and that of the database's folder."
    assert json.loads(done.stdout) == [
        "The database is read-only. Check the file's owner and its folder's.",
        lock,
        lock,
        f"The database {folder}/new.db can't be made: Permission denied.",
    ]
    assert done.stderr == ""
