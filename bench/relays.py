"""The relays that benches send to, each a process that ends with its `with`: Debian's smtp-sink, and sink.py."""

import os
import select
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep


class OwnRelay:
    """sink.py as it runs. It is asked for its lines one after another."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self.port = int(self.line(10))

    def line(self, patience: float, sender: "subprocess.Popen[bytes] | None" = None) -> str:
        """The next line it prints, within so many seconds and while the sender lives."""
        assert self._process.stdout
        until = monotonic() + patience
        while monotonic() < until:
            if select.select([self._process.stdout], [], [], 0.1)[0]:
                return self._process.stdout.readline().decode().strip()
            if sender is not None and sender.poll() is not None:
                raise SystemExit(f"the sender ended early, with exit code {sender.returncode}")
        raise SystemExit("the relay does not say what it was waited for")

    def took(self) -> tuple[int, int]:
        """End it. Returns how many messages it took, and with how many bytes."""
        assert self._process.stdin
        self._process.stdin.close()
        _, messages, size = self.line(10).split()
        return int(messages), int(size)


@contextmanager
def own_relay(*options: str) -> Iterator[OwnRelay]:
    """sink.py with these options."""
    words = [sys.executable, str(Path(__file__).with_name("sink.py")), *options]
    with _process(words) as process:
        yield OwnRelay(process)


@contextmanager
def fast_relay() -> Iterator[int]:
    """Its port. Debian's smtp-sink where there is one, else sink.py."""
    sink = tool("smtp-sink")
    if sink is None:
        print("  smtp-sink is missing (Debian's postfix has it): the relay is sink.py", flush=True)
        with own_relay() as relay:
            yield relay.port
        return
    port = free_port()
    # It wants an unprivileged user where it is started by root.
    with _process([sink, *(("-u", "nobody") if os.geteuid() == 0 else ()), f"127.0.0.1:{port}", "200"]) as process:
        _wait_for(port, process)
        yield port


def tool(name: str) -> str | None:
    """Where one of postfix's programs is; they stand where only root's PATH looks."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def free_port() -> int:
    """One that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def _process(words: list[str]) -> Iterator["subprocess.Popen[bytes]"]:
    # Unbuffered, so that `select` sees every line that has not been read.
    with subprocess.Popen(words, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if process.poll() is not None:
                break
            sleep(0.05)
        else:
            return
    raise SystemExit(f"{Path(str(process.args[0])).name} does not listen")  # type: ignore[index]
