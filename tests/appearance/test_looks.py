"""Every mail in every look: it fits, it can be read, its links can be hit."""

import pytest

from tests.appearance.looks import LOOKS, complaints, keep_screenshot, opened
from tests.appearance.mails import MAILS, mail


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("name", MAILS)
def test_a_mail_fits_and_can_be_read(browser, name, look):
    sample = mail(name)
    with opened(browser, sample.html, LOOKS[look]) as page:
        keep_screenshot(page, name, look)
        found = complaints(page, sample, LOOKS[look])
        assert not found, "\n".join(found)
