"""What every page works with."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from mailer.store.database import Database
from mailer.wiring import Parts


@dataclass(frozen=True, slots=True)
class Desk:
    """`wake`: call it after a commit that wants a mail, so that it leaves at once and not within a second."""

    parts: Parts
    database: Database
    wake: Callable[[], None]


def desk_of(request: Request) -> Desk:
    """The desk behind a request."""
    found: Desk = request.app.state.desk
    return found


AtDesk = Annotated[Desk, Depends(desk_of)]
"""A handler's parameter `desk: AtDesk` is given the desk."""
