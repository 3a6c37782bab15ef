"""schemathesis over the OpenAPI document: whatever is sent, the answer is one that the document names."""

import asyncio
import os
import socket
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from mailer.core.tokens import Claim, Purpose, Wish, seal, seal_wish
from mailer.store import confirmations
from mailer.web import serving
from tests.stories import KEY, change, join, make_edition, publish
from tests.web.house import MANY, House

EXAMPLES = os.environ.get("MAILER_API_EXAMPLES", "6")
"""Of each page; with MAILER_API_SEED, others."""
ONES_OWN = {
    "/confirm/{token}": Purpose.CONFIRM,
    "/address/{token}": Purpose.MOVE,
    "/erase/{token}": Purpose.ERASE,
    "/never/{token}": Purpose.NEVER,
    "/one-click/{token}": Purpose.LEAVE,
    "/unsubscribe/{token}": Purpose.LEAVE,
    "/preferences/{token}": Purpose.MANAGE,
    "/instead/{cadence}/{token}": Purpose.MANAGE,
}
EDITIONS = ("/editions/{cadence}/{period}", "/editions/{cadence}/{period}/{number}")
_KINDS = {Purpose.CONFIRM: "join", Purpose.MOVE: "move", Purpose.ERASE: "erase"}


@pytest.fixture
async def house(database, clock):
    async with House(database, clock, **MANY) as made:
        yield made


async def tokens(house):
    """A genuine token for each path, each of a reader of its own."""
    found = {}
    for number, (path, purpose) in enumerate(ONES_OWN.items(), 1):
        name = f"reader{number}"
        await join(house.database, name)
        reader = await house.reader(name)
        if purpose not in _KINDS:
            found[path] = seal(Claim(reader.id, 1), purpose, KEY)
            continue
        if purpose is Purpose.CONFIRM:
            await change(house.database, name, state="pending")
        address = f"new{number}@example.org" if purpose is Purpose.MOVE else None
        wish = await house.database.write(
            confirmations.ask, _KINDS[purpose], reader.id, 1, now=house.clock(), address=address
        )
        issued = int((house.clock() - timedelta(hours=1)).timestamp())
        found[path] = seal_wish(Wish(wish, 1, issued), purpose, KEY)
    return found


def settings(genuine):
    """What is wrong in a form is 422, whatever its types are, and a link that isn't whole is 404."""
    lines = [
        f"seed = {os.environ.get('MAILER_API_SEED', '1')}",
        "[checks.positive_data_acceptance]",
        'expected-statuses = ["2xx", "303", "404", "422"]',
        "[generation]",
        f"max-examples = {EXAMPLES}",
        "database = 'none'",
    ]
    known = {path: {"path.token": token} for path, token in genuine.items()}
    known |= {path: {"path.cadence": "weekly", "path.period": "2026-W48"} for path in EDITIONS}
    if genuine:
        known["/instead/{cadence}/{token}"]["path.cadence"] = "monthly"
    for path, values in known.items():
        inside = ", ".join(f'"{name}" = "{value}"' for name, value in values.items())
        lines += ["[[operations]]", f'include-path = "{path}"', f"parameters = {{ {inside} }}"]
    return "\n".join(lines)


async def probed(house, folder: Path, genuine, *more: str) -> tuple[int, str]:
    """The document and all that it names, asked over HTTP by a process of its own. Returns its exit code and words."""
    config = folder / "schemathesis.toml"
    config.write_text(settings(genuine))
    started = asyncio.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        server = serving._Server(serving._options(house.app), started.set)
        running = asyncio.create_task(server.serve(sockets=[listener]))
        await asyncio.wait_for(started.wait(), 10)
        where = Path(sys.executable).with_name("schemathesis")
        command = [
            where,
            "--config-file",
            config,
            "run",
            f"http://127.0.0.1:{port}/openapi.json",
            "--checks",
            "all",
            *more,
        ]
        process = await asyncio.create_subprocess_exec(
            *command, *more, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        out, _ = await asyncio.wait_for(process.communicate(), 120)
        server.should_exit = True
        await asyncio.wait_for(running, 10)
    return process.returncode or 0, out.decode()


def named(house) -> int:
    """How many ways of asking the document names."""
    return sum(len(ways) for ways in house.app.openapi()["paths"].values())


async def test_every_answer_is_one_that_the_document_names(house, tmp_path):
    """With genuine links; those that are not are in the tests of each page, and in what is made up here of others."""
    await publish(house.database, "one")
    genuine = await tokens(house)
    await make_edition(house.database)

    code, said = await probed(house, tmp_path, genuine)

    assert code == 0, said
    assert f"Tested: {named(house)}\n" in said
    assert "Failures:" not in said


async def test_whatever_is_made_up_for_a_link_has_an_answer_that_the_document_names(house, tmp_path):
    code, said = await probed(house, tmp_path, {}, "--phases", "fuzzing")

    assert code == 0, said
    assert f"Tested: {named(house)}\n" in said
    assert "Failures:" not in said
