"""Every table. Rows never leave `store/`: its functions return the frozen types of `core/`."""

from sqlalchemy import Table
from sqlmodel import SQLModel

from mailer.store.rows.content import ArticleNameRow, ArticleRow, EditionDraftRow, FeedRow
from mailer.store.rows.ledger import AttemptRow, DeliveryRow, EditionRow, MetaRow, VariantRow
from mailer.store.rows.readers import ConsentRow, ConsentTextRow, InterestSetRow, SubscriberRow, SuppressionRow
from mailer.store.rows.relays import PaceRow, RelayUsageRow
from mailer.store.rows.wishes import ConfirmationRow, NoticeRow, SignupAttemptRow

metadata = SQLModel.metadata


def table(row: type[SQLModel]) -> Table:
    """The Core table behind a row type: the hot path speaks Core."""
    found: Table = row.__table__  # type: ignore[attr-defined]  # SQLModel sets it on table models
    return found


meta = table(MetaRow)
interest_sets = table(InterestSetRow)
subscribers = table(SubscriberRow)
consent = table(ConsentRow)
consent_texts = table(ConsentTextRow)
confirmations = table(ConfirmationRow)
notices = table(NoticeRow)
signup_attempts = table(SignupAttemptRow)
feeds = table(FeedRow)
articles = table(ArticleRow)
article_names = table(ArticleNameRow)
edition_drafts = table(EditionDraftRow)
editions = table(EditionRow)
variants = table(VariantRow)
deliveries = table(DeliveryRow)
attempts = table(AttemptRow)
relay_usage = table(RelayUsageRow)
paces = table(PaceRow)
suppressions = table(SuppressionRow)
