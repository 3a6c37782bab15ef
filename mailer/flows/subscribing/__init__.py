"""One reader coming in, changing their mind and going. Each is one transaction.

Nothing that is typed into a form changes a subscription: it is written down, and the press behind a mailed link
carries it out.
"""

from mailer.flows.subscribing.adding import add
from mailer.flows.subscribing.allowing import Allowed, allow
from mailer.flows.subscribing.choosing import CADENCES_OWN, Wish, change, choose
from mailer.flows.subscribing.confirming import Pressed, confirm, look_up, send_again
from mailer.flows.subscribing.joining import Form, ask_again, ask_to_join
from mailer.flows.subscribing.leaving import (
    Departure,
    Left,
    forbid,
    forbidden_address,
    give_reason,
    leave,
    leave_by_link,
)
from mailer.flows.subscribing.requesting import ask_for_copy, ask_to_be_erased, ask_to_move

__all__ = [
    "CADENCES_OWN",
    "Allowed",
    "Departure",
    "Form",
    "Left",
    "Pressed",
    "Wish",
    "add",
    "allow",
    "ask_again",
    "ask_for_copy",
    "ask_to_be_erased",
    "ask_to_join",
    "ask_to_move",
    "change",
    "choose",
    "confirm",
    "forbid",
    "forbidden_address",
    "give_reason",
    "leave",
    "leave_by_link",
    "look_up",
    "send_again",
]
