"""Signed links: what itsdangerous signs, and nothing else, opens them."""

import hashlib
import hmac
import string
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import Signer, URLSafeSerializer

from mailer.core.message import token_value
from mailer.core.tokens import (
    LONGEST_BOUNCE,
    Claim,
    Purpose,
    Wish,
    bounce_sealer,
    fingerprint,
    key_by_id,
    key_id,
    open_bounce,
    open_form,
    open_token,
    open_wish,
    seal,
    seal_form,
    seal_wish,
    sealer,
)
from tests.stories import MONDAY

KEY, OTHER = "k" * 40, "a key from before the rotation"
CLAIMS = st.builds(Claim, st.integers(0, 2**63), st.integers(1, 2**31))
PURPOSES = st.sampled_from(Purpose)
ALPHABET = string.ascii_letters + string.digits + "-_.=+/ \n\x00é"
TOKEN = seal(Claim(1_234_567, 3), Purpose.LEAVE, KEY)
WISH = Wish(1_234_567, 3, int(MONDAY.timestamp()))
WISH_TOKEN, FORM_TOKEN = seal_wish(WISH, Purpose.CONFIRM, KEY), seal_form(MONDAY, KEY)
WISHES = st.builds(Wish, st.integers(0, 2**63), st.integers(1, 2**31), st.integers(0, 2**40))
BOUNCED = bounce_sealer(KEY)(1_234_567)
WISHED = (Purpose.CONFIRM, Purpose.MOVE, Purpose.ERASE)


def _opens(token: str) -> bool:
    """Whether a token opens anything as what a mail asks, or as a form's time."""
    asked = [open_wish(token, purpose, [KEY, OTHER]) for purpose in Purpose]
    return any(asked) or open_form(token, [KEY, OTHER]) is not None


@given(claim=CLAIMS, purpose=PURPOSES, key=st.text(min_size=1, max_size=80))
def test_a_token_opens_to_what_was_sealed(claim, purpose, key):
    if key.isascii():
        assert open_token(seal(claim, purpose, key), purpose, [key]) == claim


@given(claim=CLAIMS, purpose=PURPOSES)
def test_the_quick_form_is_equal_to_itsdangerous(claim, purpose):
    plain = Signer(KEY, salt=purpose.value, key_derivation="hmac", digest_method=hashlib.sha256)
    expected = plain.sign(f"{claim.subscriber}.{claim.generation}")
    assert seal(claim, purpose, KEY).encode() == expected
    assert sealer(purpose, KEY)(claim.subscriber, claim.generation) == expected


@given(claim=CLAIMS)
def test_a_token_fits_into_a_mail_unchanged(claim):
    token = seal(claim, Purpose.MANAGE, KEY)
    assert token_value(token) == token.encode()


@given(at=st.integers(0, len(TOKEN) - 1), char=st.sampled_from(ALPHABET))
def test_a_token_with_any_character_changed_is_refused(at, char):
    changed = TOKEN[:at] + char + TOKEN[at + 1 :]
    assert (open_token(changed, Purpose.LEAVE, [KEY]) is not None) == (changed == TOKEN)


def test_every_other_last_character_is_refused():
    """The last one has unused bits: several spell the same signature, only one is ours."""
    opened = [c for c in ALPHABET if open_token(TOKEN[:-1] + c, Purpose.LEAVE, [KEY])]
    assert opened == [TOKEN[-1]]


@given(at=st.integers(0, len(TOKEN)), more=st.text(ALPHABET, min_size=1, max_size=3))
def test_a_token_with_anything_added_is_refused(at, more):
    assert open_token(TOKEN[:at] + more + TOKEN[at:], Purpose.LEAVE, [KEY]) is None


@pytest.mark.parametrize("more", ["=", "==", "\n", " ", ".", "%3D", "A"])
def test_a_padded_token_is_refused(more):
    assert open_token(TOKEN + more, Purpose.LEAVE, [KEY]) is None
    assert open_token(more + TOKEN, Purpose.LEAVE, [KEY]) is None


@given(start=st.integers(0, len(TOKEN)), end=st.integers(0, len(TOKEN)))
def test_a_part_of_a_token_is_refused(start, end):
    part = TOKEN[start:end]
    assert part == TOKEN or open_token(part, Purpose.LEAVE, [KEY]) is None


@given(st.text(max_size=100))
def test_no_text_at_all_makes_it_raise(text):
    assert open_token(text, Purpose.LEAVE, [KEY, OTHER]) is None


@pytest.mark.parametrize("value", ["01.1", "1.01", "+1.1", "1_0.1", " 1.1", "1.1 ", "-0.1", "1", "1.1.1", "a.b", "١.1"])
def test_a_genuine_signature_on_another_spelling_is_refused(value):
    signer = Signer(KEY, salt=Purpose.LEAVE.value, key_derivation="hmac", digest_method=hashlib.sha256)
    assert open_token(signer.sign(value.encode()).decode(), Purpose.LEAVE, [KEY]) is None


def test_a_link_for_one_purpose_opens_nothing_else():
    assert open_token(TOKEN, Purpose.MANAGE, [KEY]) is None
    assert open_token(seal(Claim(1, 1), Purpose.MANAGE, KEY), Purpose.LEAVE, [KEY]) is None


def test_another_library_default_or_key_opens_nothing():
    for forged in (
        Signer(KEY, salt=Purpose.LEAVE.value).sign(b"1234567.3").decode(),  # SHA-1
        Signer(OTHER, salt=Purpose.LEAVE.value, key_derivation="hmac", digest_method=hashlib.sha256)
        .sign(b"1234567.3")
        .decode(),
        str(URLSafeSerializer(KEY).dumps([1_234_567, 3])),
    ):
        assert open_token(forged, Purpose.LEAVE, [KEY]) is None


def test_a_link_outlives_key_rotation_until_its_key_is_taken_away():
    assert open_token(TOKEN, Purpose.LEAVE, [KEY, OTHER]) == Claim(1_234_567, 3)
    assert open_token(TOKEN, Purpose.LEAVE, [OTHER, KEY]) == Claim(1_234_567, 3)
    assert open_token(TOKEN, Purpose.LEAVE, [OTHER]) is None
    assert open_token(TOKEN, Purpose.LEAVE, []) is None


def test_a_key_is_found_by_its_public_name_else_the_newest():
    assert key_by_id(key_id(OTHER), [OTHER, KEY]) == OTHER
    assert key_by_id(key_id(KEY), [OTHER, KEY]) == KEY
    assert key_by_id("", [OTHER, KEY]) == KEY
    assert key_by_id(key_id("gone"), [OTHER, KEY]) == KEY


def test_a_keys_public_name_tells_nothing_of_it_or_of_what_it_signs():
    assert len(key_id(KEY)) == 8
    assert key_id(KEY) not in fingerprint("ann@example.com", KEY)
    assert key_id(KEY) != hashlib.sha256(KEY.encode()).hexdigest()[:8]


def test_a_fingerprint_depends_on_the_address_and_the_key():
    found = {fingerprint(email, key) for email in ("ann@example.com", "bob@example.com") for key in (KEY, OTHER)}
    assert len(found) == 4
    assert fingerprint("ann@example.com", KEY) == fingerprint("ann@example.com", KEY)


@given(wish=WISHES, purpose=st.sampled_from(WISHED), key=st.sampled_from([KEY, OTHER]))
def test_a_wish_opens_to_what_was_sealed_and_for_its_purpose_alone(wish, purpose, key):
    token = seal_wish(wish, purpose, key)
    assert open_wish(token, purpose, [OTHER, KEY]) == wish
    assert [other for other in Purpose if open_wish(token, other, [OTHER, KEY])] == [purpose]
    assert not any(open_token(token, other, [OTHER, KEY]) for other in Purpose)
    assert open_form(token, [OTHER, KEY]) is None


@given(claim=CLAIMS, purpose=PURPOSES)
def test_a_readers_link_is_no_wish_and_no_form(claim, purpose):
    assert not _opens(seal(claim, purpose, KEY))


@given(seconds=st.integers(0, 4_000_000_000))
def test_a_forms_time_opens_to_the_second_it_was_shown(seconds):
    shown = datetime.fromtimestamp(seconds, UTC)
    assert open_form(seal_form(shown + timedelta(microseconds=999_999), KEY), [KEY, OTHER]) == shown
    token = seal_form(shown, KEY)
    assert open_form(token, [OTHER]) is None
    assert not any(open_token(token, purpose, [KEY]) or open_wish(token, purpose, [KEY]) for purpose in Purpose)


@pytest.mark.parametrize("token", [WISH_TOKEN, FORM_TOKEN], ids=["wish", "form"])
def test_any_character_of_a_wish_or_a_form_that_is_changed_left_out_or_added_is_refused(token):
    places, signs = range(len(token)), sorted(set(ALPHABET))
    changed = {token[:at] + sign + token[at + 1 :] for at in places for sign in signs} - {token}
    left_out = {token[:at] + token[at + 1 :] for at in places} | {token[:at] for at in places}
    added = {token[:at] + sign + token[at:] for at in range(len(token) + 1) for sign in "=A0._-\n \x00é"}
    opened = {
        other
        for other in {token} | changed | left_out | added
        if open_wish(other, Purpose.CONFIRM, [KEY]) or open_form(other, [KEY])
    }
    assert opened == {token}


@pytest.mark.parametrize("value", ["01", "+1", "1_0", " 1", "-1", "1.1", "a", "", "١", "1e3", "9" * 5000])
def test_a_genuine_signature_on_a_forms_time_spelt_otherwise_is_refused(value):
    signer = Signer(KEY, salt=Purpose.FORM.value, key_derivation="hmac", digest_method=hashlib.sha256)
    opened = open_form(signer.sign(value.encode()).decode(), [KEY])
    # A minus is a number of ours, from before 1970: far too old for any form.
    assert opened is None or value == "-1"


def test_whatever_moment_there_is_can_be_sealed_and_opened():
    last = datetime.max.replace(tzinfo=UTC, microsecond=0)
    assert open_form(seal_form(last, KEY), [KEY]) == last
    wish = Wish(1, 1, int(last.timestamp()))
    opened = open_wish(seal_wish(wish, Purpose.MOVE, KEY), Purpose.MOVE, [KEY])
    assert opened == wish
    assert datetime.fromtimestamp(opened.issued, UTC) == last


@given(st.text(max_size=100))
def test_no_text_at_all_opens_a_wish_or_a_form(text):
    assert not _opens(text)


# --- return addresses


@given(delivery=st.integers(0, 2**63 - 1), key=st.sampled_from([KEY, OTHER]), upper=st.sets(st.integers(0, 39)))
def test_a_token_of_a_return_address_opens_under_every_key_in_whatever_case_it_comes_back(delivery, key, upper):
    token = bounce_sealer(key)(delivery)
    assert len(token) <= LONGEST_BOUNCE
    assert set(token) <= set("0123456789abcdef")
    came_back = "".join(sign.upper() if at in upper else sign for at, sign in enumerate(token))
    assert open_bounce(came_back, [KEY, OTHER]) == open_bounce(token.upper(), [OTHER, KEY]) == delivery
    assert open_bounce(token, []) is None
    assert open_bounce(token, [OTHER if key == KEY else KEY]) is None


def test_the_largest_delivery_has_the_longest_token():
    assert len(bounce_sealer(KEY)(2**63 - 1)) == LONGEST_BOUNCE == 40


def test_a_token_of_a_return_address_is_a_number_and_an_hmac_under_a_key_of_its_own():
    derived = Signer(KEY, salt="mailer.bounce", key_derivation="hmac", digest_method=hashlib.sha256).derive_key()
    assert "12d687" + hmac.new(derived, b"12d687", "sha256").hexdigest()[:24] == BOUNCED


def test_a_token_of_a_return_address_with_anything_changed_left_out_or_added_opens_nothing():
    places, signs = range(len(BOUNCED)), sorted(set(ALPHABET))
    changed = {BOUNCED[:at] + sign + BOUNCED[at + 1 :] for at in places for sign in signs}
    left_out = {BOUNCED[:at] for at in places} | {BOUNCED[:at] + BOUNCED[at + 1 :] for at in places}
    added = {BOUNCED[:at] + sign + BOUNCED[at:] for at in range(len(BOUNCED) + 1) for sign in "0a+=-_. \n\x00é٣"}
    opened = {token.lower() for token in changed | left_out | added if open_bounce(token, [KEY, OTHER]) is not None}
    assert opened == {BOUNCED}


@given(claim=CLAIMS)
def test_a_link_is_no_return_address_and_a_return_address_no_link(claim):
    for purpose in Purpose:
        link = seal(claim, purpose, KEY)
        assert open_bounce(link, [KEY]) is None
        assert open_bounce(link.replace(".", ""), [KEY]) is None
    assert not _opens(bounce_sealer(KEY)(claim.subscriber))
    assert not any(open_token(bounce_sealer(KEY)(claim.subscriber), purpose, [KEY]) for purpose in Purpose)


@given(st.one_of(st.text(max_size=100), st.text("0123456789abcdefABCDEF", min_size=20, max_size=50)))
def test_no_text_at_all_opens_a_return_address(text):
    assert open_bounce(text, [KEY, OTHER]) is None
