"""Mails without a look, for tests that make hundreds of editions."""

from mailer.core.digest import Digest
from mailer.core.message import BODY_SLOTS, slot_mark
from mailer.flows.planning import Composer
from mailer.templating import Rendered
from tests.stories import SITE, TOPICS


class PlainTemplates:
    """The real templates take ten times as long as everything else there."""

    languages = frozenset({"en"})

    def render_digest(self, digest: Digest, *, mark: str) -> Rendered:
        words = " ".join(slot_mark(mark, slot) for slot in BODY_SLOTS)
        return Rendered(digest.articles[0].draft.title, "", f"<p>{words}</p>", words)


PLAIN = Composer(SITE, TOPICS, PlainTemplates())
