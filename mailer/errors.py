"""Every deliberate error of the program, and the exit code that each one means.

    MailerError                 1   something could not be done; the message is one sentence for a person
    ├── InputError              1   a file, row, address or option that was given is wrong
    │   ├── NotFound            1   nothing goes by that id, address or name
    │   └── Misuse              2   an option is wrong, told apart from 'not reached' and 'errors were found'
    ├── FeedError               1   a feed could not be fetched or read
    ├── TemplateError           1   a template is missing or broken
    │   └── TooLarge            1   what it writes is without end, or there is too much to write of
    ├── StoreError              1   the database can't be used
    │   └── SchemaError         1   it was made by an older or newer program, or only half made
    ├── Refused                 1   a rule forbids it: no postal address, a suppressed reader, a held edition
    │   └── SenderBusy          1   another process sends, and we don't wait for it
    ├── SigningFailed           1   a mail can't be signed (DKIM)
    ├── OutOfFiles              1   this process may open no more files and connections
    ├── ConfigError             2   the settings are wrong; `complaints` has every one of them
    └── RelayDown               3   the SMTP relay can't be reached or won't let us in

What an SMTP server or a feed answers is a value, not an error; an error means 'I can't go on'.
"""

import errno
from collections.abc import Mapping, Sequence

OUT_OF_FILES = frozenset({errno.EMFILE, errno.ENFILE})
"""The system's numbers for 'too many open files', of this process or of the machine."""
TOO_MANY_FILES = (
    "Too many files are open: no further file or connection can be opened. Raise the limit (`ulimit -n 4096`; "
    "`LimitNOFILE=4096` in a systemd unit) or lower [smtp] connections, then run this again."
)


class MailerError(Exception):
    """Root of the tree. `str()` is one clear sentence: where, what is wrong, what to do."""

    exit_code = 1


class InputError(MailerError):
    """Something the operator handed in is wrong."""


class NotFound(InputError):
    """Nothing goes by that id, address or name."""


class Misuse(InputError):
    """An option is wrong, where exit code 1 means something else."""

    exit_code = 2


class FeedError(MailerError):
    """A feed could not be fetched or read. `headers`: of the answer, by lower-case name, where there was one."""

    def __init__(self, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        self.headers = headers or {}
        super().__init__(sentence)


class FeedTooSlow(FeedError):
    """There was no whole answer in time."""


class TemplateError(MailerError):
    """A template is missing or broken; the message has its file and line."""


class TooLarge(TemplateError):
    """A template wrote more than any mail may have. With fewer articles it may be right."""


class StoreError(MailerError):
    """The database can't be opened, read or written."""


class SchemaError(StoreError):
    """The database's tables are not those of this program."""


class Refused(MailerError):
    """A rule forbids it, whoever asks."""


class SenderBusy(Refused):
    """Another process sends, and we don't wait for it."""


class SigningFailed(MailerError):
    """A mail can't be signed (DKIM). It was not sent, and may be signed another time."""


class OutOfFiles(MailerError):
    """No further file or connection can be opened. Nobody was counted as failed."""

    def __init__(self, sentence: str = TOO_MANY_FILES) -> None:
        super().__init__(sentence)


class ConfigError(MailerError):
    """The settings are wrong. `complaints`: one sentence each, in the order of the file."""

    exit_code = 2

    def __init__(self, complaints: Sequence[str]) -> None:
        self.complaints = tuple(complaints)
        super().__init__("\n".join(self.complaints))


class RelayDown(MailerError):
    """The SMTP relay can't be reached or won't let us in. Nobody was counted as failed."""

    exit_code = 3
