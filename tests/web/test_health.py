"""What a supervisor and a load balancer are told."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from mailer.errors import StoreError
from mailer.store import notices
from tests.stories import join


async def _want(database, minutes: int) -> None:
    await join(database, "ann")
    await database.write(notices.want, "welcome", 1, 1, now=datetime.now(UTC) - timedelta(minutes=minutes))


async def test_it_is_ready_where_the_database_answers_and_nothing_waits(visit):
    answer = await visit("GET", "/readyz")

    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "reasons": []}


async def test_it_is_ready_while_mail_waits_for_a_few_minutes(visit, database):
    await _want(database, 14)

    assert (await visit("GET", "/readyz")).status_code == 200


async def test_it_is_not_ready_where_mail_does_not_leave_and_says_for_how_long(visit, database):
    await _want(database, 21)

    answer = await visit("GET", "/readyz")

    assert answer.status_code == 503
    assert answer.json() == {
        "ready": False,
        "reasons": ["A mail that a reader asked for has waited for its first try for 21 minutes."],
    }


async def test_it_is_not_ready_where_the_database_is_of_another_version(visit, database):
    await database.write(lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9999'")).rowcount)

    answer = await visit("GET", "/readyz")

    assert answer.status_code == 503
    assert "made by a newer mailer" in answer.json()["reasons"][0]
    assert (await visit("GET", "/healthz")).status_code == 200


async def test_it_is_not_ready_where_the_database_does_not_answer(visit, database, monkeypatch):
    async def read(*_args):
        raise StoreError("The disk reported an error on the database. Check it before anything else.")

    monkeypatch.setattr(database, "read", read)

    answer = await visit("GET", "/readyz")

    assert answer.status_code == 503
    assert answer.json()["reasons"] == ["The disk reported an error on the database. Check it before anything else."]
    assert (await visit("GET", "/healthz")).status_code == 200
