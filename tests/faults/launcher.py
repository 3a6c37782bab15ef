"""Starts `mailer` in milliseconds, as processes that can be killed: a warm parent that forks.

    with Launcher() as launcher:
        child = launcher.start("send", "--cadence", "weekly", folder=site.folder, environ=site.surroundings)
        os.kill(child.pid, signal.SIGKILL)
        code, out, err = child.wait()

Importing the program takes longer than most kills need. So one process imports it, opens nothing and starts no
thread, and forks a child for each command. The child is a process of its own like any other: its own pid, its own
descriptors, folder and environment; it runs the very `main` that the console script runs, and its database, writer
thread, locks and sockets come into being only there. SIGKILL takes it at any instruction, exactly as it would take
`python -m mailer`; all that it shares with its parent are imported modules, which a kill can't tear.

A child is a zombie until `poll` or `wait` has heard how it ended, so that its pid can't be somebody else's when it is
killed. `patch` names a function, 'module:function', that the child calls before `main`: this is how a test has it die
at a given line. As a process: `python -m tests.faults.launcher`, orders on standard input, a line of JSON each.
"""

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

ROOT = Path(__file__).parents[2]
WARM = ("mailer.cli.sending", "mailer.wiring", "mailer.config", "mailer.store.upgrade", "sqlalchemy.dialects.sqlite")


class Child:
    """One command. `code`: None while it runs, and until it is known; minus the signal's number where one ended it."""

    def __init__(self, launcher: "Launcher", pid: int, said: tuple[Path, Path]) -> None:
        self.pid = pid
        self.code: int | None = None
        self._launcher = launcher
        self._said = said

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send it a signal, unless it is known to have ended."""
        if self.code is None:
            os.kill(self.pid, number)

    def poll(self) -> int | None:
        """How it ended, None while it runs."""
        if self.code is None:
            self.code = self._launcher.ask({"poll": self.pid})
        return self.code

    def wait(self, seconds: float = 120) -> tuple[int, str, str]:
        """How it ended, and what it said on standard output and standard error."""
        end = time.monotonic() + seconds
        while (code := self.poll()) is None:
            if time.monotonic() > end:
                self.kill()
                raise TimeoutError(f"still running after {seconds} seconds: {self.err}")
            time.sleep(0.002)
        return code, self.out, self.err

    @property
    def out(self) -> str:
        return self._said[0].read_text(encoding="utf-8")

    @property
    def err(self) -> str:
        return self._said[1].read_text(encoding="utf-8")


class Launcher:
    """The warm parent; a context manager. Children that still run at its end are killed."""

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="mailer-launcher-")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.launcher"],
            cwd=ROOT,
            env={name: value for name, value in os.environ.items() if not name.startswith("MAILER_")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C at the terminal is for whoever started us
        )
        self._started = 0
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()  # the end of its input is the end of it
        self._folder.cleanup()

    def start(self, *words: str, folder: Path, environ: Mapping[str, str], patch: str = "") -> Child:
        """`mailer …` in a folder; `environ` is all of its environment."""
        self._started += 1
        said = tuple(Path(self._folder.name) / f"{self._started}.{name}" for name in ("out", "err"))
        order = {"words": words, "folder": str(folder), "environ": dict(environ), "patch": patch}
        return Child(self, self.ask(order | {"said": [str(path) for path in said]}), (said[0], said[1]))

    def ask(self, order: dict[str, Any]) -> Any:
        """Give an order, hear the answer."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the launcher is gone")
        return json.loads(answer)


def main() -> None:
    for name in WARM:
        importlib.import_module(name)
    if threading.active_count() > 1:
        raise SystemExit("the launcher has threads before its first fork: what it forks would not be whole")
    running: set[int] = set()
    for line in sys.stdin:
        order = json.loads(line)
        if "poll" in order:
            answer = _ended(order["poll"], running)
        else:
            answer = _fork(order)
            running.add(answer)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    for pid in running:
        os.kill(pid, signal.SIGKILL)


def _ended(pid: int, running: set[int]) -> int | None:
    found, status = os.waitpid(pid, os.WNOHANG)
    if not found:
        return None
    running.discard(pid)
    return os.waitstatus_to_exitcode(status)


def _fork(order: dict[str, Any]) -> int:
    # Before the fork, so that whoever started the child finds them at once.
    files = [os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600) for path in order["said"]]
    pid = os.fork()
    if not pid:
        _become(order, files)
    for file in files:
        os.close(file)
    return pid


def _become(order: dict[str, Any], files: list[int]) -> NoReturn:
    """In the child: run the command and end."""
    code = 1
    try:
        nothing = os.open(os.devnull, os.O_RDONLY)
        for place, file in enumerate([nothing, *files]):
            os.dup2(file, place)
            os.close(file)
        os.chdir(order["folder"])
        os.environ.clear()
        os.environ.update(order["environ"])
        sys.argv = ["mailer", *order["words"]]
        if order["patch"]:
            module, _, name = order["patch"].partition(":")
            getattr(importlib.import_module(module), name)()
        code = _exit_code()
    except BaseException:  # noqa: BLE001  # as the interpreter would
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _exit_code() -> int:
    from mailer.cli import main as mailer

    try:
        mailer()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


if __name__ == "__main__":
    main()
