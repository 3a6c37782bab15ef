"""Where the time of one `mailer send` goes, to smtp-sink: by py-spy where it is installed, else by cProfile.

`pip install py-spy` shows all threads and costs the run little; the file it writes is for https://speedscope.app.
cProfile, which Python brings, sees the main thread alone and slows it; its twenty dearest functions are printed.
"""

import argparse
import pstats
import sys
import sysconfig
import tempfile
from pathlib import Path

from prepared import LARGE, SEND, SMALL, Prepared
from relays import fast_relay
from spent import spend

OUT = Path(tempfile.gettempdir()) / "mailer-send.speedscope.json"


def main() -> None:
    """Run it once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readers", type=int, default=20_000)
    parser.add_argument("--small", action="store_true", help="mails of 10 KB instead of 30")
    parser.add_argument(
        "--out", type=Path, default=OUT, help=f"what py-spy writes; else {OUT.name}, beside other temporary files"
    )
    parser.add_argument("--cprofile", action="store_true", help="also where py-spy is installed")
    wanted = parser.parse_args()
    spy = Path(sysconfig.get_path("scripts")) / "py-spy"
    spying = spy.exists() and not wanted.cprofile
    with tempfile.TemporaryDirectory(prefix="mailer-bench-") as name, fast_relay() as port:
        site = Prepared(Path(name), SMALL if wanted.small else LARGE, wanted.readers)
        kept = Path(name) / "profile"
        words = [str(spy), "record", "--format", "speedscope", "--rate", "500", "--output", str(wanted.out.resolve())]
        command = [*words, "--", *SEND] if spying else [sys.executable, "-m", "cProfile", "-o", str(kept), *SEND[1:]]
        with site.copy() as folder:
            spent = spend(command, folder=folder, environ=site.environ(port))
        print(f"{wanted.readers / spent.seconds:,.0f} a second, {spent.cpu / wanted.readers * 1e6:.0f} µs each")
        if spying:
            print(f"written: {wanted.out}")
        else:
            pstats.Stats(str(kept)).strip_dirs().sort_stats("tottime").print_stats(20)


if __name__ == "__main__":
    main()
