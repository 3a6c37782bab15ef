"""The house, held to its plan: direction of imports, purity of the core, the map in docs/ARCHITECTURE.md.

It reads the source as text (`ast`): nothing is imported, so nothing can hide an arrow by being clever at run time.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "mailer"
MAP = ROOT / "docs" / "ARCHITECTURE.md"

# Floors of the house, from the top. A room may import from floors below its own, never from beside or above it.
FLOORS: tuple[frozenset[str], ...] = (
    frozenset({"__main__"}),
    frozenset({"cli"}),  # may start the other front doors
    frozenset({"web", "scheduler", "worker", "demo"}),
    frozenset({"wiring"}),
    frozenset({"config"}),
    frozenset({"flows"}),
    frozenset({"smtp", "feeds", "mailbox", "signing", "store", "templating", "telemetry"}),
    frozenset({"core"}),
    frozenset({"errors"}),
)
# What core may use: values and pure functions. zoneinfo, email_validator and babel read constant tables; feedparser,
# nh3, markdown_it and yaml parse what they are handed; pydantic checks values; cryptography signs.
CORE_MAY_USE = frozenset(
    {
        *(
            "array",
            "base64",
            "binascii",
            "bisect",
            "calendar",
            "codecs",
            "collections",
            "colorsys",
            "contextlib",
            "csv",
        ),
        *("dataclasses", "datetime", "decimal", "difflib", "email", "encodings", "enum", "functools", "hashlib"),
        *("heapq", "hmac", "html", "io", "ipaddress", "itertools", "json", "math", "operator", "re", "reprlib"),
        *("statistics", "string", "struct", "textwrap", "tomllib", "typing", "types", "unicodedata", "urllib"),
        *("array", "xml", "zlib", "zoneinfo", "__future__"),
        *(
            "babel",
            "cryptography",
            "email_validator",
            "feedparser",
            "itsdangerous",
            "markdown_it",
            "nh3",
            "pydantic",
            "yaml",
        ),
    }
)
# Pure modules with impure corners, and what reads the clock, chance or the world.
CORE_MAY_NOT_CALL = frozenset(
    {
        *("datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "utils.localtime"),
        *("open", "input", "print", "urlopen", "formatdate", "make_msgid"),
    }
)
ONLY_IMPORTER = {"apscheduler": "scheduler", "procrastinate": "worker", "aiosmtplib": "smtp", "aiosmtpd": "demo"}
NAMES_THAT_SAY_NOTHING = frozenset({"utils", "util", "helpers", "helper", "common", "types", "services", "managers"})
MAX_MODULE = 500


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> tuple[str, ...]:
    """('mailer', 'core', 'cadence') of mailer/core/cadence.py."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports_in(tree: ast.AST, own: tuple[str, ...], *, is_package: bool) -> Iterator[tuple[ast.stmt, str]]:
    """Every (statement, dotted name imported), relative ones made absolute."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                here = own if is_package else own[:-1]
                base = ".".join([*here[: len(here) - node.level + 1], *filter(None, [base])])
            for alias in node.names:
                yield node, f"{base}.{alias.name}"


def arrows(path: Path) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of everything a module imports."""
    for node, name in imports_in(tree_of(path), name_of(path), is_package=path.name == "__init__.py"):
        yield node.lineno, name


def room_of(dotted: str) -> str | None:
    """'core' of 'mailer.core.cadence'; None for what isn't ours, '' for the package itself (its version)."""
    parts = dotted.split(".")
    if parts[0] != "mailer":
        return None
    return parts[1] if len(parts) > 1 and parts[1] != "__version__" else ""


def floor_of(room: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


def where(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def wrong_directions(path: Path) -> list[str]:
    own = name_of(path)
    if len(own) == 1:
        return []
    found = []
    for line, name in arrows(path):
        room = room_of(name)
        if room in (None, "", own[1]):
            continue
        if floor_of(room) <= floor_of(own[1]):
            found.append(f"{where(path, line)}: {own[1]} imports {name}, which is not below it")
    return found


def test_every_module_has_a_floor() -> None:
    rooms = {name_of(path)[1] for path in modules() if len(name_of(path)) > 1}
    assert rooms <= frozenset().union(*FLOORS)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_only_downwards(path: Path) -> None:
    assert wrong_directions(path) == []


@pytest.mark.parametrize("path", sorted((PACKAGE / "flows").rglob("*.py")), ids=lambda path: path.stem)
def test_a_flow_does_not_import_another_flow(path: Path) -> None:
    own = name_of(path)
    if len(own) == 2:
        return
    others = [
        f"{where(path, line)}: {name}"
        for line, name in arrows(path)
        if name.startswith("mailer.flows.") and name.split(".")[2] != own[2]
    ]
    assert others == []


@pytest.mark.parametrize("path", sorted((PACKAGE / "core").rglob("*.py")), ids=lambda path: path.stem)
def test_the_core_does_no_input_or_output_and_reads_no_clock_and_no_chance(path: Path) -> None:
    found = []
    for line, name in arrows(path):
        top = name.split(".")[0]
        if top not in CORE_MAY_USE | {"mailer"} or name.startswith("urllib.request"):
            found.append(f"{where(path, line)}: imports {name}")
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in CORE_MAY_NOT_CALL or ".".join(called.split(".")[-2:]) in CORE_MAY_NOT_CALL:
                found.append(f"{where(path, node.lineno)}: calls {called}")
    assert found == []


@pytest.mark.parametrize(
    "path",
    [path for path in modules() if len(name_of(path)) > 1 and floor_of(name_of(path)[1]) >= floor_of("flows")],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_the_time_of_day_is_an_argument_below_the_front_doors(path: Path) -> None:
    clock = re.compile(r"(^|\.)(datetime\.(now|utcnow|today)|date\.today|time\.(time|time_ns|localtime|gmtime))$")
    found = [
        f"{where(path, node.lineno)}: {ast.unparse(node.func)}"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and clock.search(ast.unparse(node.func))
    ]
    assert found == []


@pytest.mark.parametrize("room", ["core", "store"])
def test_the_modules_of_a_room_import_each_other_without_cycles(room: str) -> None:
    graph = {
        ".".join(name_of(path)): {name for _, name in arrows(path) if name.startswith(f"mailer.{room}.")}
        for path in (PACKAGE / room).rglob("*.py")
    }
    edges = {
        module: {other for other in graph for name in names if name == other or name.startswith(f"{other}.")}
        - {module, f"mailer.{room}"}
        for module, names in graph.items()
    }
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join([*path, module])
        if module not in done:
            for other in edges[module]:
                visit(other, (*path, module))
            done.add(module)

    for module in edges:
        visit(module, ())


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_imported_inside_a_function_outside_the_command_line(path: Path) -> None:
    if name_of(path)[1:2] == ("cli",):
        return
    inside = [
        where(path, node.lineno)
        for function in ast.walk(tree_of(path))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert inside == []


@pytest.mark.parametrize(("library", "room"), ONLY_IMPORTER.items())
def test_a_library_of_one_room_is_imported_there_alone(library: str, room: str) -> None:
    strangers = [
        where(path, line)
        for path in modules()
        for line, name in arrows(path)
        if name.split(".")[0] == library and name_of(path)[1:2] != (room,)
    ]
    assert strangers == []


def test_front_doors_write_only_through_a_flow() -> None:
    """They may read through the store; the outbox, which sends, is not theirs at all."""
    found = [
        f"{where(path, line)}: {name}"
        for path in modules()
        if name_of(path)[1:2] and name_of(path)[1] in {"cli", "demo", "web", "scheduler", "worker"}
        for line, name in arrows(path)
        if name.startswith(("mailer.store.outbox", "mailer.store.plans", "mailer.store.recovery", "sqlite3"))
    ]
    writes = [
        where(path, node.lineno)
        for path in modules()
        if name_of(path)[1:2] and name_of(path)[1] in {"cli", "demo"}
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("database.write")
    ]
    assert found + writes == []


def test_no_name_says_nothing() -> None:
    named = {part for path in modules() for part in name_of(path)}
    assert named.isdisjoint(NAMES_THAT_SAY_NOTHING)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_is_one_room(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_MODULE


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_is_for(path: Path) -> None:
    if path.parent.name == "versions" or path.read_text(encoding="utf-8").strip() == "":
        return
    assert ast.get_docstring(tree_of(path)), f"{path.relative_to(ROOT)} has no docstring"


def mapped() -> list[str]:
    """The paths on the map, `mailer/core/cadence.py` and `mailer/core/`, from its rows `| folder | rooms | what |`."""
    rows = re.findall(r"^\| `(mailer/[^`]*)` \| ([^|]+) \|", MAP.read_text(encoding="utf-8"), re.MULTILINE)
    folders = sorted({folder for folder, _ in rows} - {"mailer/"})
    return [*folders, *(f"{folder}{room}.py" for folder, rooms in rows for room in rooms.split(", "))]


def test_every_room_is_on_the_map_and_every_room_on_the_map_exists() -> None:
    rooms = set()
    for path in modules():
        parts = name_of(path)
        if len(parts) == 1 or parts == ("mailer", "__main__") or path.parent.name in {"migrations", "versions"}:
            continue
        rooms.add(str(path.relative_to(ROOT)) if path.name != "__init__.py" else f"{path.parent.relative_to(ROOT)}/")
    found = mapped()
    assert set(found) - rooms == set(), "on the map, but not there"
    assert rooms - set(found) == set(), "there, but not on the map"
    assert len(found) == len(set(found)), "on the map twice"


def test_the_map_stays_short_enough_to_be_read() -> None:
    assert len(MAP.read_text(encoding="utf-8").splitlines()) <= 200


def test_the_check_of_directions_can_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.test_architecture.ROOT", tmp_path)
    bad = tmp_path / "mailer" / "core" / "upwards.py"
    bad.parent.mkdir(parents=True)
    bad.write_text("from mailer.store import database\nfrom ..config import Settings\n", encoding="utf-8")
    import tests.test_architecture as own

    assert len(own.wrong_directions(bad)) == 2
