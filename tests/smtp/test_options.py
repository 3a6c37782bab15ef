import pytest
from pydantic import ValidationError

from mailer.smtp import RelayOptions


@pytest.mark.parametrize(
    "wrong",
    [
        {"host": ""},
        {"host": "smtps://smtp.example.org"},
        {"host": "two words"},
        {"port": 0},
        {"port": 65536},
        {"security": "ssl"},
        {"connections": 0},
        {"connections": 101},
        {"hots": "smtp.example.org"},
    ],
)
def test_a_wrong_setting_is_refused(wrong):
    with pytest.raises(ValidationError):
        RelayOptions(**wrong)


def test_every_setting_says_what_it_is():
    assert all(field.description for field in RelayOptions.model_fields.values())


def test_the_password_is_not_shown():
    assert "opensesame" not in repr(RelayOptions(password="opensesame"))


@pytest.mark.parametrize(
    ("options", "keeps"),
    [
        ({"host": "smtp.example.org", "security": "starttls"}, True),
        ({"host": "smtp.example.org", "security": "tls"}, True),
        ({"host": "smtp.example.org", "security": "none"}, False),
        ({"host": "localhost.example.org", "security": "none"}, False),
        ({"host": "192.0.2.1", "security": "none"}, False),
        ({"host": "localhost", "security": "none"}, True),
        ({"host": "LOCALHOST.", "security": "none"}, True),
        ({"host": "127.0.0.9", "security": "none"}, True),
        ({"host": "::1", "security": "none"}, True),
    ],
)
def test_a_password_goes_over_tls_or_stays_on_this_machine(options, keeps):
    assert RelayOptions(**options).keeps_secrets is keeps
