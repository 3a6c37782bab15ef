"""`make bench`: every bench after another, each in a process of its own. Each prints its own table.

Figures are ratios taken in one run, side by side, because machines are shared and noisy: min, median, max. The last
one is no bench, but writes what is known of delivery into README.md.
"""

import subprocess
import sys
from pathlib import Path

BENCHES = (
    "build_messages",
    "plan_edition",
    "import_subscribers",
    "parse_feed",
    "lint_mail",
    "related",
    "compile_variant",
    "per_reader",
    "start_command",
    "pages",
    "delivery",
    "report",
)


def main() -> int:
    """Run them; the exit code is of the first that failed."""
    failed = 0
    for name in sys.argv[1:] or BENCHES:
        print(f"== {name}", flush=True)
        done = subprocess.run([sys.executable, str(Path(__file__).with_name(f"{name}.py"))], check=False)
        failed = failed or done.returncode
        print(flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
