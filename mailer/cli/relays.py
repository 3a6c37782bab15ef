"""What relays, and the providers behind them, take at this moment: in words, and as a document."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mailer.cli.output import when

if TYPE_CHECKING:
    from mailer.core.pacing import Pace
    from mailer.flows.delivering import Report
    from mailer.smtp import RelayOptions
    from mailer.store.paces import Key
    from mailer.store.usage import Used

Quota = dict[str, Any]


def rests_in_words(report: "Report", waiting: int, zone: str) -> Iterator[str]:
    """A line for each relay that takes nothing for a while, the last one with how many wait."""
    lines = [
        f"Relay {name} takes nothing before {when(rest.until, zone)}: {rest.why.rstrip('.')}"
        for name, rest in report.rests.items()
    ]
    for line in lines[:-1]:
        yield f"{line}."
    for line in lines[-1:]:
        waits = f"; {waiting:,} {'waits' if waiting == 1 else 'wait'}" if waiting else ""
        yield f"{line}{waits}."


def troubles_in_words(report: "Report") -> Iterator[str]:
    """A line for each relay that is down beside others that are not, or lets nobody in any more."""
    if not report.down:
        yield from (f"Relay {name} is down: {said}. Others are used." for name, said in report.troubles.items())
    yield from (f"Relay {name} lets no new connection in: {said}." for name, said in report.locked_out.items())


def report_document(report: "Report") -> dict[str, Any]:
    """The same for programs."""
    return {
        "relay_down": report.down or None,
        "relays_down": dict(report.troubles),
        "relays_locked_out": dict(report.locked_out),
        "relays_resting": {
            name: {"until": rest.until, "why": rest.why, "quota": rest.quota} for name, rest in report.rests.items()
        },
        "paused": [
            {"edition": edition, "reason": reason, "said": said} for edition, (reason, said) in report.paused.items()
        ],
    }


def pace_in_words(key: "Key", state: "Mapping[str, Any]", now: datetime, zone: str) -> str:
    """'Relay default: 421 4.3.2 busy, at most 4 at once until 14:20.'"""
    relay, provider = key
    name = f"Provider {provider} behind relay {relay}" if provider else f"Relay {relay}"
    words = [_why(state) or "slowed", *_how(_read(state), now, zone)]
    return f"{name}: {', '.join(words)}."


def pace_document(key: "Key", state: "Mapping[str, Any]") -> dict[str, Any]:
    """The same for programs."""
    kept = _read(state)
    return {
        "relay": key[0],
        "provider": key[1] or None,
        "why": _why(state),
        "not_before": kept.not_before if kept else None,
        "rests_until": kept.breaker.open_until if kept else None,
        "state": dict(state),
    }


def quotas(
    relays: "Mapping[str, RelayOptions]", used: "Mapping[str, Mapping[int, Used]]", now: datetime
) -> list[Quota]:
    """How much of its quotas each relay has had, and until when it gets nothing more (None: it gets more)."""
    from mailer.core.quota import DAY, HOUR, counted_in, quota_wait

    found = []
    for name, relay in relays.items():
        if relay.rate_per_hour or relay.rate_per_day:
            minutes = {minute: one.permits for minute, one in used.get(name, {}).items()}
            until = quota_wait(minutes, per_hour=relay.rate_per_hour, per_day=relay.rate_per_day, now=now)
            found.append(
                {
                    "relay": name,
                    "hour": {"used": counted_in(minutes, HOUR, now), "quota": relay.rate_per_hour or None},
                    "day": {"used": counted_in(minutes, DAY, now), "quota": relay.rate_per_day or None},
                    "full_until": until,
                }
            )
    return found


def quota_in_words(quota: Quota, zone: str) -> str:
    """'Quota of relay default: 812 of 1,000 in 60 minutes.'"""
    parts = [
        f"{quota[kind]['used']:,} of {quota[kind]['quota']:,} in {window}"
        for kind, window in (("hour", "60 minutes"), ("day", "24 hours"))
        if quota[kind]["quota"]
    ]
    full = f"; takes nothing before {when(quota['full_until'], zone)}" if quota["full_until"] else ""
    return f"Quota of relay {quota['relay']}: {', '.join(parts)}{full}."


def _how(kept: "Pace | None", now: datetime, zone: str) -> Iterator[str]:
    """What comes of it."""
    if kept is None:
        return
    rests, before = kept.breaker.open_until, kept.not_before
    if rests is not None:
        yield "tried with one message" + (f" {when(rests, zone)}" if rests > now else "")
    if before is not None and before > now:
        yield f"tried again {when(before, zone)}"
    if kept.gap:
        yield f"one message every {kept.gap.total_seconds():,.0f} s"
    elif kept.limit is not None:
        slow = kept.slow_until
        yield f"at most {kept.limit} at once" + (f" until {when(slow, zone)}" if slow and slow > now else "")


def _read(state: "Mapping[str, Any]") -> "Pace | None":
    """None where another release keeps it otherwise."""
    from mailer.core import pacing

    # The configured number of connections isn't known here: high enough to bound nothing.
    plain = pacing.Pace(pacing.Side.PROVIDER, 1_000)
    kept = pacing.from_json(plain, state)
    return None if kept is plain else kept


def _why(state: "Mapping[str, Any]") -> str | None:
    found = state.get("why")
    return str(found).replace("_", " ").rstrip(".") if found else None
