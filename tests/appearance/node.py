"""Programs of npm, each started once with all mails: files in, JSON out."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MINUTES = 5


def run(script: str, files: Mapping[str, bytes], folder: Path) -> dict[str, Any]:
    """What `script` says of each file, by its name here. `folder`: an empty one to write the files into."""
    named = {}
    for number, (name, data) in enumerate(files.items()):
        named[name] = folder / f"{number:03d}"
        named[name].write_bytes(data)
    done = subprocess.run(
        [node(), HERE / script],
        input=json.dumps({name: str(path) for name, path in named.items()}),
        capture_output=True,
        encoding="utf-8",
        timeout=60 * MINUTES,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def node() -> str:
    """The program, beside this Python where `make` put it: the machine's was missing or too old. Else on the path."""
    beside = Path(sys.executable).parent
    found = shutil.which("node", path=os.pathsep.join([str(beside), os.environ.get("PATH", "")]))
    assert found, "There is no Node here. `make test-mail` gets it."
    return found
