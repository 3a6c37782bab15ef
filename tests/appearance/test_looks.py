"""Every mail in every look: it fits, it can be read, its links can be hit."""

import pytest

from tests.appearance.looks import LOOKS, complaints, keep_screenshot
from tests.appearance.mails import MAILS, mail


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("name", MAILS)
def test_a_mail_fits_and_can_be_read(window, name, look):
    sample = mail(name)
    found = complaints(window, sample.html, LOOKS[look], rtl=sample.direction == "rtl")
    keep_screenshot(window, name, look)
    assert not found, "\n".join(found)
