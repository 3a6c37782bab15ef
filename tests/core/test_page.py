"""What the reader's pages say: when each pace comes, which field to begin at, what can be pressed."""

from datetime import date

import pytest

from mailer.core.cadence import Cadence, CadenceOptions
from mailer.core.error_page import ErrorPage, lay_out_error
from mailer.core.leaving_page import REASONS, lay_out_unsubscribe
from mailer.core.page import Said
from mailer.core.page_sentences import none_comes, when_sentence
from mailer.core.preference_page import PreferencePage, lay_out_preferences
from mailer.core.reader_page import ConfirmPage, InsteadPage, lay_out_confirm, lay_out_instead
from mailer.core.signup_page import SignupDone, choices_of, lay_out_signup, lay_out_signup_done, no_mail
from mailer.core.subscription import mask
from mailer.core.time_zone import zones
from mailer.core.words import ENGLISH, language_name
from mailer.templating import Templates, ThemeOptions
from tests.mail.samples import SITE
from tests.page_samples import ADDRESS, FIRST, SIX, THREE, leaving, preferences, signup

TEMPLATES = Templates(ThemeOptions())
PAUSED = "Your digests pause until 24 December 2026. What is new by then is in the first one after it."


def cadence(when: str) -> Cadence:
    return Cadence.of("own", CadenceOptions(when=when), "Europe/Dublin")


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("daily 07:00", "Mornings, when there is something new"),
        ("daily 05:00", "Mornings, when there is something new"),
        ("daily 04:59", "Every day at 4:59, when there is something new"),
        ("daily 10:59", "Mornings, when there is something new"),
        ("daily 11:00", "Every day at 11:00, when there is something new"),
        ("daily 18:30", "Every day at 18:30, when there is something new"),
        ("monday 07:00", "Mondays at 7:00, the week in one mail"),
        ("sunday 17:00", "Sundays at 17:00, the week in one mail"),
        ("mon,thu 08:00", "Monday and Thursday at 8:00, when there is something new"),
        ("mon,wed,fri 08:00", "Monday, Wednesday and Friday at 8:00, when there is something new"),
        ("day 1 07:00", "On the 1st, the month in one mail"),
        ("day 15 07:00", "On day 15, the month in one mail"),
        ("last day 18:00", "On the last day of the month, the month in one mail"),
        ("day 31 18:00", "On the last day of the month, the month in one mail"),
    ],
)
def test_a_pace_says_when_it_comes(when, said):
    assert when_sentence(cadence(when), ENGLISH) == said


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("de", "Montag und Donnerstag um 8:00 Uhr, wenn es Neues gibt"),
        ("es", "Lunes y jueves a las 8:00, si hay algo nuevo"),
        ("ar", "الاثنين والخميس الساعة 8:00 ص، عند وجود جديد"),
    ],
)
def test_days_are_listed_as_the_language_does(language, said):
    assert when_sentence(cadence("mon,thu 08:00"), TEMPLATES.words(language)) == said


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("ada@example.org", "a***@example.org"),
        ("a@example.org", "a***@example.org"),
        ("a***@example.org", "a***@example.org"),
        ('"a@b"@example.org', '"***@example.org'),
        ("élodie@example.org", "é***@example.org"),
        ("\u202eada@example.org", "a***@example.org"),
        ("", "***@"),
    ],
)
def test_an_address_is_masked_so_that_only_its_owner_knows_it(address, masked):
    assert mask(address) == masked


def test_a_language_is_named_as_its_speakers_write_it():
    named = [language_name(tag) for tag in ("en", "de", "es", "ar", "pt-BR", "tlh")]
    assert named == ["English", "Deutsch", "Español", "العربية", "Português", "tlh".capitalize()]


def test_zones_are_places_without_their_older_names():
    assert {"Europe/Kyiv", "Asia/Kolkata", "America/New_York", "UTC"} <= set(zones())
    assert {"Europe/Kiev", "Asia/Calcutta", "US/Eastern", "Etc/GMT+3", "posixrules"}.isdisjoint(zones())


# The form.


def test_the_one_who_is_ticked_is_the_one_asked_for():
    assert [(one.name, one.label, one.checked) for one in choices_of(THREE, "weekly", ENGLISH)] == [
        ("daily", "Daily", False),
        ("weekly", "Weekly", True),
        ("monthly", "Monthly", False),
    ]


@pytest.mark.parametrize(("offered", "radios"), [(SIX[:5], True), (SIX, False)])
def test_up_to_five_paces_are_ticked_and_more_are_a_list(offered, radios):
    assert lay_out_signup(signup(cadences=offered), SITE, ENGLISH).radios is radios


@pytest.mark.parametrize(
    ("errors", "focus", "sentence"),
    [
        ({"email": "empty"}, "email", "Enter your email address"),
        ({"email": "format"}, "email", "Enter an email address in the correct format, like name@example.com"),
        ({"cadence": "pace", "email": "empty"}, "email", "Enter your email address"),
        ({"cadence": "pace"}, "cadence", "Choose how often you would like updates"),
        ({"form": "stale"}, "form", "This form was open over a day. Press Subscribe again."),
        (
            {"form": "again"},
            "form",
            "Not sent yet: that was very quick, or the form came from elsewhere. Press Subscribe once more.",
        ),
        ({"form": "server"}, "form", "We could not save this. Try again in a minute."),
        ({"form": "stale", "cadence": "pace"}, "cadence", "Choose how often you would like updates"),
    ],
)
def test_what_is_wrong_is_told_at_its_field_and_the_first_has_the_focus(errors, focus, sentence):
    form = lay_out_signup(signup(errors=errors), SITE, ENGLISH)
    assert form.focus == focus
    assert form.errors[focus] == sentence
    assert form.errors.keys() == errors.keys()
    assert form.title == "Error: Stay updated with Mia's Feed"


def test_a_form_without_mistakes_has_no_focus_and_no_error():
    form = lay_out_signup(signup(), SITE, ENGLISH)
    assert (form.focus, dict(form.errors), form.title) == ("", {}, "Stay updated with Mia's Feed")


def test_the_operators_sentence_on_what_arrives_goes_before_ours():
    assert str(lay_out_signup(signup(), SITE, ENGLISH).what) == "What is new on Mia's Feed, in your inbox."
    assert str(lay_out_signup(signup(what="100 % health"), SITE, ENGLISH).what) == "100 % health"


def test_the_answer_to_a_signup_is_the_same_sentence_by_sentence_whatever_is_known():
    page = SignupDone(email="ada@site.example", cadence="weekly", first=FIRST)
    told = lay_out_signup_done(page, SITE, ENGLISH)
    assert str(told.heading) == "One step left: check your inbox"
    assert list(map(str, told.said)) == [
        "Look for a mail from Mia's Feed at ada@site.example and press Confirm subscription.",
        "Then your first weekly digest comes on Monday 30 November at about 7:00, if there is something new.",
        no_mail(ENGLISH),
    ]
    assert no_mail(ENGLISH) == (
        "No mail in ten minutes? Look in spam or try again. "
        "If you get it already, or asked us never to write, none may come."
    )


def test_what_was_typed_as_an_address_comes_back_on_one_line_without_what_hides_in_it():
    typed = "ada\u202e@site.example\r\nBcc: all" + "x" * 400
    told = lay_out_signup_done(SignupDone(email=typed, cadence="weekly", first=FIRST), SITE, ENGLISH)
    assert told.said[0].address.startswith("ada@site.example Bcc: all")
    assert len(told.said[0].address) <= 254


# Links out of mails.


def test_a_confirmation_is_one_sentence_and_one_focused_button():
    told = lay_out_confirm(ConfirmPage(state="ask", address=ADDRESS, cadence="weekly"), SITE, ENGLISH)
    assert list(map(str, told.said)) == ["A weekly digest of Mia's Feed to a***@site.example."]
    (button,) = told.buttons
    assert (button.label, button.fields, button.focused) == ("Confirm subscription", {"do": "confirm"}, True)
    assert not told.done


@pytest.mark.parametrize("state", ["done", "already", "expired", "sent", "stale", "wrong"])
def test_no_state_of_a_confirmation_shows_the_whole_address(state):
    page = ConfirmPage(state=state, address=ADDRESS, cadence="weekly", first=FIRST, preferences_url="/preferences/T")
    told = lay_out_confirm(page, SITE, ENGLISH)
    assert ADDRESS not in " ".join(map(str, (told.heading, *told.said)))


def test_leaving_stands_first_and_what_is_offered_instead_below_it():
    told = lay_out_unsubscribe(leaving("ask"), SITE, ENGLISH)
    assert [(button.label, button.focused) for button in told.buttons] == [("Unsubscribe", True)]
    assert [(button.label, dict(button.fields)) for button in told.instead] == [
        ("Weekly instead", {"do": "instead", "cadence": "weekly"}),
        ("Monthly instead", {"do": "instead", "cadence": "monthly"}),
        ("Pause for 30 days", {"do": "pause", "days": "30"}),
    ]


def test_an_older_link_says_so_and_asks():
    told = lay_out_unsubscribe(leaving("older"), SITE, ENGLISH)
    assert str(told.said[0]) == "This link is from an earlier subscription. You have subscribed again since."
    assert [button.fields for button in told.buttons] == [{"do": "leave"}]


def test_a_reason_is_asked_for_after_leaving_and_not_before():
    told = lay_out_unsubscribe(leaving("done"), SITE, ENGLISH)
    assert tuple(option.value for option in told.reasons) == REASONS
    assert lay_out_unsubscribe(leaving("ask"), SITE, ENGLISH).reasons == ()
    assert [dict(button.fields) for button in told.buttons] == [{"do": "again"}]


def test_another_pace_says_what_is_now_what_comes_and_when():
    page = InsteadPage(state="ask", now="daily", to="weekly", next=FIRST)
    told = lay_out_instead(page, SITE, ENGLISH)
    assert str(told.heading) == "Weekly instead?"
    assert list(map(str, told.said)) == [
        "You now get Mia's Feed daily.",
        "Press the button, and it comes weekly, next on Monday 30 November at about 7:00, if there is something new.",
    ]
    own = InsteadPage(state="ask", now="weekly", to="weekend_news", next=FIRST)
    assert str(lay_out_instead(own, SITE, ENGLISH).heading) == "Weekend news instead?"


@pytest.mark.parametrize(
    "page",
    [
        leaving("ask", paused_until=date(2026, 12, 24)),
        leaving("older", paused_until=date(2026, 12, 24)),
        leaving("instead", next=FIRST, paused_until=date(2026, 12, 24)),
    ],
    ids=["ask", "older", "instead"],
)
def test_who_pauses_reads_so_where_they_may_leave(page):
    told = lay_out_unsubscribe(page, SITE, ENGLISH)
    assert str(told.said[-1]) == PAUSED
    assert "next digest" not in " ".join(map(str, told.said))


@pytest.mark.parametrize("state", ["ask", "done", "same"])
def test_in_a_pause_another_pace_has_no_day_but_the_end_of_the_pause(state):
    page = InsteadPage(state=state, now="daily", to="weekly", next=FIRST, paused_until=date(2026, 12, 24))
    told = list(map(str, lay_out_instead(page, SITE, ENGLISH).said))
    assert told == (["You now get Mia's Feed daily.", PAUSED] if state == "ask" else [PAUSED])


# Preferences.


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, []),
        (
            {"changed": "saved"},
            ["Saved.", "Your next digest comes on Monday 30 November at about 7:00, if there is something new."],
        ),
        (
            {"changed": "saved", "paused_until": date(2026, 12, 22)},
            [
                "Saved.",
                "Your digests pause until 22 December 2026. What is new by then is in the first one after it.",
            ],
        ),
        (
            {"changed": "move", "new_address": "new@site.example"},
            [
                "Look for a mail at new@site.example and open its link.",
                "Until then nothing changes.",
                none_comes(ENGLISH),
            ],
        ),
        ({"changed": "enough"}, ["You had several of these mails today. Try again tomorrow."]),
        (
            {"changed": "erase"},
            ["Look for a mail at a***@site.example and open its link.", "Until then nothing is erased."],
        ),
    ],
)
def test_after_a_change_the_page_says_what_happens_next(changes, told):
    assert list(map(str, lay_out_preferences(preferences(**changes), SITE, ENGLISH).news)) == told


def test_why_a_new_address_gets_no_mail_is_told_of_all_alike():
    assert none_comes(ENGLISH) == (
        "None comes if that address has a subscription of its own, had too many mails lately, "
        "or asked us never to write."
    )


def test_what_is_chosen_is_chosen_in_every_list():
    page = lay_out_preferences(preferences(language="es"), SITE, ENGLISH)
    for options, chosen in ((page.topics, "oncology"), (page.zones, "Europe/Dublin"), (page.hours, "7")):
        assert [option.value for option in options if option.chosen] == [chosen]
    assert [(option.value, option.label) for option in page.languages if option.chosen] == [("es", "Español")]


def test_what_is_not_chosen_is_as_the_site_has_it():
    page = lay_out_preferences(preferences(timezone="", hour=None, language=""), SITE, ENGLISH)
    first = [(options[0].label, options[0].chosen) for options in (page.zones, page.hours, page.languages)]
    assert first == [("As the site: Europe/Berlin", True), ("As it comes", True), ("As the site: English", True)]


def test_a_zone_or_language_that_is_not_offered_stays_while_it_is_chosen():
    page = lay_out_preferences(preferences(timezone="Europe/Kiev", language="fr"), SITE, ENGLISH)
    assert [option.value for option in page.zones if option.chosen] == ["Europe/Kiev"]
    assert [option.value for option in page.languages if option.chosen] == ["fr"]


def test_a_pause_may_end_tomorrow_at_the_earliest_and_in_a_year_at_the_latest():
    page = lay_out_preferences(preferences(), SITE, ENGLISH)
    assert (page.tomorrow, page.latest) == ("2026-11-25", "2027-11-24")


@pytest.mark.parametrize("state", ["gone", "wrong"])
def test_without_a_subscription_there_is_nothing_to_change(state):
    told = lay_out_preferences(PreferencePage(state=state), SITE, ENGLISH)
    assert told.template == "step"
    assert told.buttons == ()


@pytest.mark.parametrize(("status", "like"), [(418, 400), (422, 400), (502, 500), (429, 503)])
def test_a_status_without_a_sentence_of_its_own_is_told_as_its_kind(status, like):
    assert lay_out_error(ErrorPage(status), SITE, ENGLISH) == lay_out_error(ErrorPage(like), SITE, ENGLISH)


def test_a_sentence_knows_its_plain_words():
    assert str(Said("%(site)s to %(address)s, 100 %%", {"site": "A"}, "b@c.de")) == "A to b@c.de, 100 %"
