"""A command run to its end, and what it cost: time, processor time, memory at its peak."""

import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter


@dataclass(frozen=True, slots=True)
class Spent:
    """`seconds` on the clock; `cpu` seconds of user and system together; `memory` bytes; `said` on standard output."""

    seconds: float
    cpu: float
    memory: int
    said: str


def spend(command: Sequence[str], *, folder: Path | None = None, environ: Mapping[str, str] | None = None) -> Spent:
    """Run it. Raises SystemExit, with the end of what it complained of, where it fails.

    Linux counts what a parent had in memory at the start into the child's peak: a bench keeps little.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as complaints:
        began = perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=environ, stdout=out, stderr=complaints)
        try:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            if process.returncode is None:
                process.kill()
                process.wait()
        seconds = perf_counter() - began
        out.seek(0)
        complaints.seek(0)
        if process.returncode:
            last = complaints.read()[-2000:].decode(errors="replace")
            raise SystemExit(f"{Path(command[0]).name} ended with exit code {process.returncode}:\n{last}")
        return Spent(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, out.read().decode())
