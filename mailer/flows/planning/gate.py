"""The gate: every mail of an edition is looked at by lint before the edition can run."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from mailer.core.delivery import HoldReason
from mailer.core.lint import Finding, gathered, lint_mail
from mailer.core.message import Mail

_KEPT = 50
"""Findings that are kept with an edition: more say nothing new."""


@dataclass(slots=True)
class Gate:
    """Gathers what lint finds in the mails of one edition, one after the other. `holds`: whether an error holds it."""

    holds: bool
    _found: list[tuple[str, Sequence[Finding]]] = field(default_factory=list)

    def look_at(self, mail: Mail, told: Iterable[str], shortened: str = "") -> None:
        """Lint one mail, as one of its readers gets it. `told`: the texts it is made of.

        `shortened`: a sentence, where articles were left out of it.
        """
        own = (Finding("size", "warning", "message", shortened),) if shortened else ()
        self._found.append((str(len(self._found)), (*lint_mail(mail.data, told), *own)))

    @property
    def findings(self) -> tuple[str, ...]:
        """A sentence each, errors first: 'error contrast: HTML line 12: …'."""
        lines = []
        for finding, names in gathered(self._found)[:_KEPT]:
            part = f" (in {len(names)} of {len(self._found)} mails)" if len(self._found) > 1 else ""
            lines.append(f"{finding.level} {finding.rule}{part}: {finding}")
        return tuple(lines)

    @property
    def verdict(self) -> str:
        """Why the edition is held, or ''."""
        wrong = any(finding.level == "error" for _, found in self._found for finding in found)
        return HoldReason.LINT if self.holds and wrong else ""
