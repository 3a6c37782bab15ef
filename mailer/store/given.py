"""What counts as given: deliveries whose reader has, or may have, the edition. Its articles are not offered again.

Once in doubt, always given, whatever becomes of the second copy: the first may be there (decision 0020).
"""
# Only constants of this program are put into SQL.

from sqlalchemy import ColumnElement, literal_column

from mailer.core.delivery import GIVEN, DeliveryState

_STATES = ", ".join(f"'{state}'" for state in sorted(GIVEN))


def counts(rows: str) -> str:
    """Whether a row of the ledger counts as given, as SQL. `rows`: what the ledger is called there."""
    return f"({rows}.state IN ({_STATES}) OR {rows}.doubts > 0)"


def or_held(state: DeliveryState) -> str:
    """The state that a row of the ledger ends in, as SQL: held where it was in doubt, so that a person has a say."""
    return f"CASE WHEN doubts > 0 THEN '{DeliveryState.IN_DOUBT_HELD}' ELSE '{state}' END"


def ended(state: DeliveryState) -> ColumnElement[str]:
    """`or_held`, as a value of a statement."""
    return literal_column(or_held(state))
