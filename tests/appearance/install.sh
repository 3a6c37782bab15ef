#!/bin/sh
# What `make test-mail` needs beside Python: a Chromium, Node with what package-lock.json names, and SpamAssassin.
# Asks Debian's packages for what is missing where it may; else says in a sentence what to install.
# $1: the folder of the virtual environment's programs.
set -eu
bin=$1
cd "$(dirname "$0")"

have() { command -v "$1" >/dev/null 2>&1; }

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

updated=no
# True where Debian's packages could be installed. Asks first whether we are root, or sudo lets us without a password.
from_debian() {
	have apt-get && { [ "$(id -u)" = 0 ] || { have sudo && sudo -n true 2>/dev/null; }; } || return 1
	echo "Installing $* ..."
	if [ "$updated" = no ]; then
		as_root apt-get update -qq || return 1
		updated=yes
	fi
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

browser() {
	if [ -n "${MAILER_CHROMIUM:-}" ]; then
		[ -x "$MAILER_CHROMIUM" ]
		return
	fi
	for name in chromium chromium-browser google-chrome google-chrome-stable; do
		if have "$name"; then return 0; fi
	done
	"$bin/python" -c 'import os, sys; from playwright.sync_api import sync_playwright
with sync_playwright() as p: sys.exit(not os.path.exists(p.chromium.executable_path))'
}

# Whether a Node is new enough for what package-lock.json names.
new_enough() {
	"$1" -e 'const [a, b] = process.versions.node.split(".").map(Number)
process.exit(a > 22 || (a === 22 && b >= 16) || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null
}

if ! browser; then
	# Fonts too: without any, no text has a size. Noto has the Arabic letters.
	from_debian chromium fonts-liberation fonts-noto-core || true
	if ! browser; then
		echo "The mails are looked at in Chromium, and there is none. Install Debian's package chromium or Google Chrome," >&2
		echo "or say '$bin/playwright install chromium', or name one in MAILER_CHROMIUM; then make test-mail again." >&2
		exit 1
	fi
fi

if ! have spamassassin; then
	from_debian spamassassin || echo "SpamAssassin isn't here (Debian's package spamassassin): its tests are skipped."
fi

PATH="$bin:$PATH"
if ! { have npm && new_enough node; }; then
	echo "Installing Node into the virtual environment ..."
	"$bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r node.lock
fi

if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
	echo "Installing what package-lock.json names ..."
	npm ci --silent --no-audit --no-fund
	touch node_modules/.package-lock.json # later than package-lock.json, whatever npm writes
fi
