"""Lists of readers in and out: nothing is lost, nobody is revived, nothing is half-written."""

import asyncio
import io
import random
import signal
import stat
import sys
import textwrap

import pytest
from sqlalchemy import func, insert, select

from mailer.core.consent import ConsentEvent
from mailer.core.subscription import Newcomer, State
from mailer.core.tokens import fingerprint
from mailer.errors import InputError, StoreError
from mailer.flows import importing
from mailer.flows.importing import export_subscribers, import_subscribers
from mailer.store import subscribers as store
from mailer.store.consent import record_of
from mailer.store.database import Database
from mailer.store.tables import consent, subscribers, suppressions
from tests.stories import KEY, MONDAY, TOPICS, join

PACES = ("daily", "weekly", "monthly")


async def bring_in(database, path, **options):
    settings = {
        "now": MONDAY,
        "cadences": PACES,
        "topics": TOPICS,
        "statement": "the form of 2025",
        "fingerprints": lambda email: [fingerprint(email, KEY)],
        "progress": lambda _report: None,
    }
    return await import_subscribers(database, path, **(settings | options))


def refused(report):
    return [(one.line, one.text, one.reason) for one in report.refused]


async def everyone(database):
    return {one.email: one for one in await database.read(store.page, limit=100_000)}


async def consents(database):
    return await database.read(lambda c: c.execute(select(func.count()).select_from(consent)).scalar())


@pytest.fixture
def listed(tmp_path):
    """Write a list and get its path."""

    def write(text, name="readers.csv"):
        path = tmp_path / name
        path.write_bytes(text.encode())
        return path

    return write


async def test_good_rows_go_in_with_their_consent_and_bad_ones_are_named(database, listed):
    path = listed(
        "email,cadence,topics,name\n"
        "ada@x.org,weekly,Heart;lungs,Ada\n"
        "bob@x.org,hourly,,Bob\n"
        "not an address,daily,,\n"
        "cyd@x.org,daily,,Cyd\n"
    )
    report = await bring_in(database, path)
    assert (report.added, report.already, report.refused_count) == (2, 0, 2)
    assert [(line, text) for line, text, _ in refused(report)] == [(3, "bob@x.org"), (4, "not an address")]
    assert report.done == report.size == path.stat().st_size
    found = await everyone(database)
    assert found["ada@x.org"].topics == ("heart", "lungs")
    record = await database.read(record_of, found["cyd@x.org"].id)
    assert record == [ConsentEvent(MONDAY, "imported", "daily", "import", "the form of 2025")]


async def test_nobody_who_has_gone_is_revived_and_whoever_is_there_stays_as_they_are(database, listed):
    await join(database, *(f"{state}@x.org" for state in State), pace="monthly")
    for state in State:
        await database.write(
            lambda c, state=state: (
                c.execute(
                    subscribers.update()
                    .where(subscribers.c.email == f"{state}@x.org")
                    .values(state=state.value, paused_until=MONDAY if state is State.PAUSED else None)
                ).rowcount
            )
        )
    values = {"fingerprint": fingerprint("erased@x.org", KEY), "reason": "erased", "at": MONDAY}
    await database.write(lambda c: c.execute(insert(suppressions).values(**values)).rowcount)
    before = await everyone(database)
    path = listed("email,cadence\n" + "".join(f"{one}@x.org,daily\n" for one in (*State, "erased", "new")))
    report = await bring_in(database, path)
    assert (report.added, report.already) == (1, 3)
    assert refused(report) == [
        (5, "unsubscribed@x.org", "unsubscribed"),
        (6, "bounced@x.org", "bounced"),
        (7, "complained@x.org", "complained"),
        (8, "erased@x.org", "suppressed"),
    ]
    after = await everyone(database)
    assert after.pop("new@x.org").cadence == "daily"
    assert after == before


@pytest.mark.parametrize("chunk", [1, 2, 3, 5000])
async def test_a_repeated_address_is_answered_with_its_first_line(database, listed, monkeypatch, chunk):
    monkeypatch.setattr(importing, "CHUNK", chunk)
    await join(database, "old@x.org")
    path = listed(
        "email,cadence\nold@x.org,daily\nada@x.org,daily\nAda@X.org,weekly\nold@x.org,daily\nada@x.org,daily\n"
    )
    report = await bring_in(database, path)
    assert (report.added, report.already) == (1, 2)
    assert refused(report) == [(4, "ada@x.org", "already on line 3"), (6, "ada@x.org", "already on line 3")]
    assert (await everyone(database))["ada@x.org"].cadence == "daily"


async def test_rows_without_a_pace_take_the_one_that_was_asked_for(database, listed):
    report = await bring_in(database, listed("email\nada@x.org\n"), default_cadence="Monthly")
    assert report.added == 1
    assert (await everyone(database))["ada@x.org"].cadence == "monthly"
    with pytest.raises(InputError, match="'hourly' is no cadence of this site; there are: daily, weekly, monthly"):
        await bring_in(database, listed("email\nbob@x.org\n"), default_cadence="hourly")


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "The file is empty"), ("email,plan\na@x.org,x\n", "Line 1: 'plan' is no column"), ("PK\0\0", "no text file")],
)
async def test_a_file_that_is_wrong_as_a_whole_is_named_and_changes_nothing(database, listed, text, said):
    path = listed(text)
    with pytest.raises(InputError) as caught:
        await bring_in(database, path)
    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)
    assert not await everyone(database)


async def test_a_file_that_turns_bad_halfway_says_what_went_in(database, listed):
    path = listed("email,cadence\nada@x.org,daily\n" + "x" * 30_000)
    with pytest.raises(InputError, match=r"Line 3 is longer than 20000 .* The 1 readers before it are in\."):
        await bring_in(database, path)
    assert set(await everyone(database)) == {"ada@x.org"}


async def test_a_file_that_cannot_be_read_is_named(database, tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.csv: it can't be read: No such file"):
        await bring_in(database, tmp_path / "nowhere.csv")
    with pytest.raises(InputError, match="it can't be read: Is a directory"):
        await bring_in(database, tmp_path)


async def test_a_report_keeps_the_first_refusals_and_counts_all(database, listed, monkeypatch):
    monkeypatch.setattr(importing, "KEPT", 3)
    monkeypatch.setattr(importing, "CHUNK", 2)
    report = await bring_in(database, listed("email,cadence\n" + "nobody,daily\n" * 10))
    assert report.refused_count == 10
    assert [one.line for one in report.refused] == [2, 3, 4]


async def test_other_writers_get_their_turn_between_the_chunks(database, listed, monkeypatch):
    monkeypatch.setattr(importing, "CHUNK", 10)
    path = listed("email,cadence\n" + "".join(f"reader{n}@x.org,daily\n" for n in range(100)))
    seen = []
    count = select(func.count()).select_from(subscribers)

    async def beside():
        while not seen or seen[-1] < 100:
            seen.append(await database.write(lambda c: c.execute(count).scalar()))

    report, _ = await asyncio.gather(bring_in(database, path), beside())
    assert report.added == 100
    assert len({count for count in seen if 0 < count < 100}) > 3


async def test_run_again_it_adds_nobody_twice(database, listed):
    path = listed("email,cadence\n" + "".join(f"reader{n}@x.org,daily\n" for n in range(20)))
    await bring_in(database, path)
    before = await everyone(database)
    report = await bring_in(database, path)
    assert (report.added, report.already, report.refused_count) == (0, 20, 0)
    assert await everyone(database) == before
    assert await consents(database) == 20


_CHILD = """
    import asyncio, sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[3])
    from mailer.flows import importing
    from mailer.store.database import Database
    from tests.flows.test_importing import bring_in
    importing.CHUNK = 50
    with Database(sys.argv[1]) as database:
        asyncio.run(bring_in(database, Path(sys.argv[2]), progress=lambda report: print(report.added, flush=True)))
"""


async def test_killed_at_any_moment_and_run_again_it_ends_in_the_same_state(database_url, listed, pytestconfig):
    rows = 4000
    path = listed("email,cadence\n" + "".join(f"reader{n}@x.org,daily\nReader{n}@x.org,weekly\n" for n in range(rows)))
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        textwrap.dedent(_CHILD),
        database_url,
        str(path),
        str(pytestconfig.rootpath),
        stdout=asyncio.subprocess.PIPE,
    )
    chunks = random.randint(1, 20)
    for _ in range(chunks):
        await child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    await child.communicate()
    with Database(database_url) as database:
        there = len(await everyone(database))
        assert 0 < there <= rows, chunks
        report = await bring_in(database, path)
        assert report.added == rows - there, chunks
        found = await everyone(database)
        assert len(found) == rows
        assert {one.cadence for one in found.values()} == {"daily"}
        assert await consents(database) == rows


async def test_an_export_comes_back_through_an_import_and_leaves_those_out_who_have_gone(
    database, database_path, tmp_path, migrated
):
    newcomers = [
        Newcomer("ada@x.org", "weekly", '=cmd|"x"!A1', "Europe/Berlin", "de", ("heart", "lungs")),
        Newcomer("+bob@x.org", "daily", "Böb, the 'builder'"),
        Newcomer("cyd@x.org", "monthly"),
    ]
    await database.write(
        store.add, newcomers, now=MONDAY, event="added", route="cli", statement="", fingerprints=lambda _: []
    )
    await database.write(
        lambda c: (
            c.execute(subscribers.update().where(subscribers.c.email == "cyd@x.org").values(state="bounced")).rowcount
        )
    )
    path = tmp_path / "export.csv"
    assert await export_subscribers(database, path) == 3
    other = tmp_path / "other.db"
    other.write_bytes(migrated.read_bytes())
    with Database(f"sqlite:///{other}") as fresh:
        report = await bring_in(fresh, path)
        assert (report.added, refused(report)) == (2, [(4, "cyd@x.org", "bounced")])
        found = await everyone(fresh)
    for wanted in newcomers[:2]:
        got = found[wanted.email]
        assert Newcomer(got.email, got.cadence, got.name, got.timezone, got.language, got.topics) == wanted


async def test_an_export_holds_everyone_asked_for_over_any_number_of_pages(database, tmp_path):
    await join(database, *(f"reader{n}@x.org" for n in range(1500)), pace="daily")
    await join(database, "ada@x.org", pace="weekly")
    stream = io.StringIO()
    assert await export_subscribers(database, stream) == 1501
    assert stream.getvalue().count("\r\n") == 1502
    only = io.StringIO()
    assert await export_subscribers(database, only, cadence="weekly", state="active") == 1
    assert only.getvalue().splitlines()[1].startswith("ada@x.org,weekly,,,,,active,2026-10-24T08:00:00Z")


async def test_an_export_is_for_its_owner_alone_and_takes_the_place_of_the_last_one(database, tmp_path):
    await join(database, "ada@x.org")
    path = tmp_path / "export.csv"
    path.write_text("the last one")
    path.chmod(0o644)
    await export_subscribers(database, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "ada@x.org" in path.read_text()


async def test_an_export_that_fails_leaves_the_last_one_and_nothing_else(database, tmp_path, monkeypatch):
    await join(database, "ada@x.org")
    path = tmp_path / "export.csv"
    path.write_text("the last one")
    before = set(tmp_path.iterdir())

    def broken(*_args, **_more):
        raise StoreError("The disk reported an error.")

    monkeypatch.setattr(store, "page", broken)
    with pytest.raises(StoreError):
        await export_subscribers(database, path)
    assert path.read_text() == "the last one"
    assert set(tmp_path.iterdir()) == before


async def test_an_export_into_a_missing_folder_is_refused_with_its_name(database, tmp_path):
    with pytest.raises(InputError, match=r"export\.csv can't be written: No such file"):
        await export_subscribers(database, tmp_path / "none" / "export.csv")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="folder can't be written: Is a directory"):
        await export_subscribers(database, tmp_path / "folder")
