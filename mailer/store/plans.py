"""Planning in the database: who is due what, and the one transaction that writes it down."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    Row,
    exists,
    insert,
    literal_column,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.exc import IntegrityError

from mailer.core.delivery import NOT_ON_THE_WIRE, UNFINISHED, EditionState
from mailer.core.selection import Group, Share
from mailer.store import articles as article_store
from mailer.store import drafts, given
from mailer.store.editions import Edition, Variant, add_variant, by_id, find
from mailer.store.instant import to_moment, to_number
from mailer.store.tables import deliveries, editions, subscribers


class Outdated(Exception):
    """Something changed between the look and the write; the plan has to be made again."""


class AudienceChanged(Outdated):
    """Readers came to need a variant that the plan doesn't have."""


class DraftChanged(Outdated):
    """The editor changed what was kept for this edition."""


@dataclass(frozen=True, slots=True)
class Plan:
    """An edition about to be written, in one transaction.

    `held`: why it waits for a person's word, or ''. `draft`: when the editor last changed what was kept for it; None
    where nothing was.
    """

    cadence: str
    period: str
    due_at: datetime
    planned_at: datetime
    expires_at: datetime
    retry_until: datetime
    lo: int | None
    hi: int | None
    since: datetime | None
    nonce: str
    key_id: str
    variants: tuple[Variant, ...]
    shares: tuple[Share, ...]
    intro: str = ""
    findings: tuple[str, ...] = ()
    held: str = ""
    draft: datetime | None = None

    @property
    def state(self) -> EditionState:
        """The state that the edition begins in."""
        if not self.variants:
            return EditionState.EMPTY
        return EditionState.HELD if self.held else EditionState.RUNNING


# Who is due, with the beginning of their window: -1 stands for 'none' so that one `=` compares it on every database.
# An edition that isn't done has not been folded into its readers' rows yet, so its ledger is asked.
_AUDIENCE = f"""
SELECT s.id, s.generation, s.interest_set_id, s.language,
       CASE WHEN coalesce(s.given, u.hi) IS NULL
            THEN coalesce(CASE WHEN u.lo < s.start THEN u.lo END, s.start, u.lo, -1)
            WHEN coalesce(s.given, -1) > coalesce(u.hi, -1) THEN s.given ELSE u.hi END AS lo,
       CASE WHEN coalesce(s.given, u.hi) IS NULL THEN
            CASE WHEN s.start IS NULL OR u.lo < s.start THEN coalesce(u.since, -1) ELSE coalesce(s.start_since, -1) END
            ELSE -1 END AS since,
       CASE WHEN coalesce(s.given, u.hi) IS NULL THEN 1 ELSE 0 END AS newcomer
FROM subscribers s
LEFT JOIN (
    SELECT d.subscriber_id, max(CASE WHEN {given.counts("d")} THEN e.hi END) AS hi,
           min(v.lo) AS lo, min(v.since) AS since
    FROM editions e JOIN deliveries d ON d.edition_id = e.id JOIN variants v ON v.id = d.variant_id
    WHERE e.done_at IS NULL AND e.planned > 0
    GROUP BY d.subscriber_id
) u ON u.subscriber_id = s.id
WHERE s.cadence = :cadence AND (s.state = 'active' OR (s.state = 'paused' AND s.paused_until <= :now))
"""  # noqa: S608  # only constants of this program are put in
# Where nothing is unfinished, which is the rule, the subscriber's row says it all.
_AUDIENCE_SETTLED = """
SELECT s.id, s.generation, s.interest_set_id, s.language,
       coalesce(s.given, s.start, -1) AS lo,
       CASE WHEN s.given IS NULL THEN coalesce(s.start_since, -1) ELSE -1 END AS since,
       CASE WHEN s.given IS NULL THEN 1 ELSE 0 END AS newcomer
FROM subscribers s
WHERE s.cadence = :cadence AND (s.state = 'active' OR (s.state = 'paused' AND s.paused_until <= :now))
"""


def _is_open(connection: Connection) -> bool:
    """Whether some edition is not done, so that readers' rows don't say all."""
    asked = text("SELECT 1 FROM editions WHERE done_at IS NULL AND planned > 0 LIMIT 1")
    return connection.execute(asked).first() is not None


def _audience(connection: Connection) -> str:
    return _AUDIENCE if _is_open(connection) else _AUDIENCE_SETTLED


# The same, grouped by the columns of ix_subscribers_due in their order: a walk along the index, without a sort.
_GROUPS_SETTLED = """
SELECT lo, since, newcomer, interest_set_id, language, sum(readers) AS readers FROM (
    SELECT coalesce(s.given, s.start, -1) AS lo,
           CASE WHEN s.given IS NULL THEN coalesce(s.start_since, -1) ELSE -1 END AS since,
           CASE WHEN s.given IS NULL THEN 1 ELSE 0 END AS newcomer,
           s.interest_set_id, s.language, count(*) AS readers
    FROM subscribers s WHERE s.cadence = :cadence AND s.state = 'active'
    GROUP BY s.given, s.start, s.start_since, s.interest_set_id, s.language
    UNION ALL
    SELECT coalesce(s.given, s.start, -1), CASE WHEN s.given IS NULL THEN coalesce(s.start_since, -1) ELSE -1 END,
           CASE WHEN s.given IS NULL THEN 1 ELSE 0 END, s.interest_set_id, s.language, count(*)
    FROM subscribers s WHERE s.cadence = :cadence AND s.state = 'paused' AND s.paused_until <= :now
    GROUP BY s.given, s.start, s.start_since, s.interest_set_id, s.language
) GROUP BY lo, since, newcomer, interest_set_id, language
"""


def groups(connection: Connection, cadence: str, now: datetime) -> list[Group]:
    """Who is due an edition of this cadence now, by what they are due."""
    grouped = (
        f"SELECT lo, since, newcomer, interest_set_id, language, count(*) AS readers FROM ({_AUDIENCE}) "  # noqa: S608
        "GROUP BY lo, since, newcomer, interest_set_id, language"
        if _is_open(connection)
        else _GROUPS_SETTLED
    )
    rows = connection.execute(
        # Joined after grouping, or it would be done a million times.
        text(
            f"SELECT g.*, i.topics FROM ({grouped}) g JOIN interest_sets i ON i.id = g.interest_set_id "  # noqa: S608
            "ORDER BY g.lo, g.since, g.interest_set_id, g.language"
        ),
        {"cadence": cadence, "now": to_number(now)},
    )
    return [_group(row) for row in rows]


def group_of(connection: Connection, email: str, now: datetime) -> Group | None:
    """What one reader would be due, whatever their cadence; None where the address isn't mailed."""
    found = connection.execute(text("SELECT cadence FROM subscribers WHERE email = :email"), {"email": email}).first()
    if found is None:
        return None
    row = connection.execute(
        text(
            f"SELECT a.lo, a.since, a.newcomer, a.interest_set_id, i.topics, a.language, 1 AS readers "  # noqa: S608
            f"FROM ({_audience(connection)} AND s.email = :email) a JOIN interest_sets i ON i.id = a.interest_set_id"
        ),
        {"cadence": found.cadence, "now": to_number(now), "email": email},
    ).first()
    return None if row is None else _group(row)


def write(connection: Connection, plan: Plan) -> Edition | None:
    """Carry out a plan: edition, frozen variants, a delivery for each reader, all in the caller's transaction.

    None where somebody else made this edition meanwhile. Raises Outdated (and the transaction is undone) where the plan
    doesn't fit any more.
    """
    if find(connection, plan.cadence, plan.period) is not None:
        return None
    draft = drafts.find(connection, plan.cadence)
    if (draft.changed_at if draft else None) != plan.draft:
        raise DraftChanged
    resume_paused(connection, plan.cadence, plan.planned_at)
    sending = plan.state is not EditionState.EMPTY
    edition_id = connection.execute(
        insert(editions).values(
            cadence=plan.cadence,
            period=plan.period,
            state=plan.state,
            reason=plan.held,
            due_at=plan.due_at,
            planned_at=plan.planned_at,
            done_at=None if sending else plan.planned_at,
            lo=plan.lo,
            hi=plan.hi,
            since=plan.since,
            nonce=plan.nonce,
            key_id=plan.key_id,
            intro=plan.intro if sending else "",
            findings=list(plan.findings),
            draft_at=plan.draft if sending else None,
        )
    ).inserted_primary_key[0]  # type: ignore[index]  # a single insert always has one
    if sending:
        ids = [add_variant(connection, variant, edition_id) for variant in plan.variants]
        planned = _insert_deliveries(connection, plan, edition_id, ids)
        connection.execute(update(editions).where(editions.c.id == edition_id).values(planned=planned))
        _settle_earlier(connection, plan, edition_id)
    elif any(share.held_back for share in plan.shares):
        _insert_deliveries(connection, plan, edition_id, [])  # none; but where their newcomers begin is remembered
    if plan.state is EditionState.RUNNING:
        # Of a held edition, which may never go out, they are spent when it is released.
        sent = {seq for variant in plan.variants for seq in variant.articles}
        article_store.unpin_given(connection, sent, plan.cadence)
        drafts.drop(connection, plan.cadence)
    return by_id(connection, edition_id)


def _insert_deliveries(connection: Connection, plan: Plan, edition_id: int, ids: Sequence[int]) -> int:
    """One delivery a reader, in the order of variants. Returns how many."""
    audience = _audience(connection)
    numbers = {"cadence": plan.cadence, "now": to_number(plan.planned_at)}
    connection.execute(text("DROP TABLE IF EXISTS temp_shares"))
    connection.execute(
        text(
            "CREATE TEMPORARY TABLE temp_shares (lo BIGINT, since BIGINT, newcomer INTEGER, interest_set_id BIGINT, "
            "language VARCHAR, variant_id BIGINT, start BIGINT, start_since BIGINT, "
            "PRIMARY KEY (lo, since, newcomer, interest_set_id, language))"
        )
    )
    connection.execute(
        text(
            "INSERT INTO temp_shares VALUES (:lo, :since, :newcomer, :interest_set, :language, :variant, :start, "
            ":start_since)"
        ),
        [_share_row(share, ids) for share in plan.shares],
    )
    # A reader whose group is unknown has no variant: NOT NULL refuses, and the plan is made again.
    ordered = "ORDER BY m.variant_id, a.id" if len(ids) > 1 else ""
    try:
        planned = connection.execute(
            text(
                "INSERT INTO deliveries (edition_id, subscriber_id, variant_id, purpose, generation, state, reason, "  # noqa: S608
                "epoch, attempts, waits, doubts, expires_at) "
                "SELECT :edition, a.id, m.variant_id, 'digest', a.generation, 'pending', '', 0, 0, 0, 0, :expires "
                f"FROM ({audience}) a LEFT JOIN temp_shares m ON m.lo = a.lo AND m.since = a.since "
                "AND m.newcomer = a.newcomer AND m.interest_set_id = a.interest_set_id AND m.language = a.language "
                f"WHERE m.variant_id IS NULL OR m.variant_id > 0 {ordered}"
            ),
            numbers | {"edition": edition_id, "expires": to_number(plan.expires_at)},
        ).rowcount
    except IntegrityError as error:
        raise AudienceChanged from error
    if any(share.held_back and share.group.newcomers for share in plan.shares):
        _remember_starts(connection, audience, numbers)
    connection.execute(text("DROP TABLE temp_shares"))
    return int(planned)


def _remember_starts(connection: Connection, audience: str, numbers: dict[str, Any]) -> None:
    """Newcomers whose share was held back: their window goes on from its beginning next time."""
    connection.execute(
        text(
            "UPDATE subscribers SET start = m.start, start_since = m.start_since "  # noqa: S608
            f"FROM ({audience}) a JOIN temp_shares m ON m.lo = a.lo AND m.since = a.since AND m.newcomer = a.newcomer "
            "AND m.interest_set_id = a.interest_set_id AND m.language = a.language "
            "WHERE subscribers.id = a.id AND m.start IS NOT NULL AND subscribers.start IS NULL"
        ),
        numbers,
    )


def _settle_earlier(connection: Connection, plan: Plan, edition_id: int) -> None:
    """What these readers still have to come from earlier editions is in the new one, or counts as given."""
    here = select(deliveries.c.subscriber_id).where(deliveries.c.edition_id == edition_id)
    perhaps = literal_column(given.counts("deliveries"), Boolean)
    unfinished = connection.execute(
        select(editions.c.id, editions.c.hi).where(
            editions.c.done_at.is_(None), editions.c.planned > 0, editions.c.id != edition_id
        )
    ).all()
    for earlier in unfinished:
        later = [other.id for other in unfinished if other.id != earlier.id and other.hi >= earlier.hi]
        theirs = (deliveries.c.edition_id == earlier.id, deliveries.c.subscriber_id.in_(here))
        connection.execute(
            update(deliveries)
            .where(*theirs, deliveries.c.state.in_(sorted(NOT_ON_THE_WIRE)), ~_left_out(earlier.hi, later), ~perhaps)
            .values(state="expired", reason="superseded", settled_at=plan.planned_at)
        )
        # Counted as given by this plan, so nobody offers its articles again: it must not expire by its own deadline.
        connection.execute(
            update(deliveries)
            .where(
                *theirs,
                deliveries.c.state.in_(sorted(UNFINISHED)),
                perhaps,
                deliveries.c.expires_at < plan.retry_until,
            )
            .values(expires_at=plan.retry_until)
        )


def _left_out(hi: int, later: Sequence[int]) -> ColumnElement[bool]:
    """The second try of what counted as given while it was on the wire or in doubt.

    A later edition was given meanwhile without its articles, so the new one hasn't got them either. `later`:
    unfinished editions that reach as far as `hi`, its own watermark.
    """
    other = deliveries.alias("other")
    folded = exists().where(subscribers.c.id == deliveries.c.subscriber_id, subscribers.c.given >= hi)
    beyond = exists().where(
        other.c.edition_id.in_(later), other.c.subscriber_id == deliveries.c.subscriber_id, text(given.counts("other"))
    )
    return or_(folded, beyond)


def resume_paused(connection: Connection, cadence: str, now: datetime) -> int:
    """Readers of a cadence whose pause has ended are active again. Returns how many."""
    return connection.execute(
        text(
            "UPDATE subscribers SET state = 'active', paused_until = NULL "
            "WHERE cadence = :cadence AND state = 'paused' AND paused_until <= :now"
        ),
        {"cadence": cadence, "now": to_number(now)},
    ).rowcount


def _share_row(share: Share, ids: Sequence[int]) -> dict[str, Any]:
    group = share.group
    remember = share.held_back and group.newcomers
    return {
        "lo": -1 if group.lo is None else group.lo,
        "since": -1 if group.since is None else to_number(group.since),
        "newcomer": int(group.newcomers),
        "interest_set": group.interest_set,
        "language": group.language,
        "variant": 0 if share.batch is None else ids[share.batch],
        "start": share.window.lo if remember else None,
        "start_since": to_number(share.window.since) if remember and share.window.since else None,
    }


def _group(row: Row[Any]) -> Group:
    return Group(
        lo=None if row.lo == -1 else row.lo,
        since=None if row.since == -1 else to_moment(row.since),
        newcomers=bool(row.newcomer),
        interest_set=row.interest_set_id,
        topics=tuple(json.loads(row.topics)),
        language=row.language,
        readers=row.readers,
    )
