"""What is said where a request can't be answered: what happened, and what to do."""

from dataclasses import dataclass

from mailer.core.frame import Site
from mailer.core.page import Said, Step, step, to_site
from mailer.core.words import Words


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """`status`: of HTTP, 400 to 599; one that has no sentence of its own is told as 400 or 500."""

    status: int


def lay_out_error(page: ErrorPage, site: Site, words: Words) -> Step:
    """The page of a status."""
    _ = words.catalogue.gettext
    busy = (_("Too much is asked of us just now"), _("Nothing was changed. Try again in a few minutes."))
    told = {
        400: (_("We could not read this"), _("Nothing was changed. Go back, load the page again and try once more.")),
        404: (_("There is nothing here"), _("Look at the address: a letter may be missing or one too many.")),
        405: (_("This can't be done here"), _("Nothing was changed. Open the link in the mail once more.")),
        413: (_("That was too much at once"), _("Nothing was changed. Go back and send less.")),
        429: busy,
        500: (_("Something went wrong here"), _("It is not your doing. Try again in a minute.")),
        503: busy,
    }
    general = 400 if page.status < 500 else 500  # noqa: PLR2004 RFC 9110 §15
    heading, said = told.get(page.status) or told[general]
    return step(site, words, Said(heading), Said(said), links=(to_site(site, words),))
