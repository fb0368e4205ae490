# SPDX-License-Identifier: LGPL-3.0-only
"""README and docs/: every block of code is run, and the pages are built."""

import os
import re
import signal
import subprocess

import pytest
from blocks import blocks
from conftest import ROOT, need, run
from restd import LIMIT, Daemon, binary, clean_environment, skip_unless_possible, wait_for

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = [block for page in PAGES for block in blocks(page)]
DAEMONS = [block for block in BLOCKS if "daemon" in block.marks]
NOT_RUN = [block for block in BLOCKS if block.why_not_run()]
RUN = [block for block in BLOCKS if block not in DAEMONS and block not in NOT_RUN]

# What a refusal is to a script, and what a page has no need to say.
STRICT = 'set -eo pipefail; curl() { command curl -sS --max-time 60 --fail-with-body "$@"; }\n'
LENIENT = "set +eo pipefail; unset -f curl\n"


def place(folder):
    """A folder that looks like the clone: what is written goes there."""
    for name in ("clients", "docs", "examples"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "build").symlink_to(binary().parent)
    return folder


def environment(folder, **more):
    path = f"{binary().parent}:/usr/bin:/bin:{os.environ['PATH']}"
    return clean_environment({"PATH": path, "PYTHONPATH": str(folder / "clients/python"), **more})


def script(page_blocks):
    """One script of all blocks of a page, for later ones use what earlier ones set."""
    parts = []
    for block in page_blocks:
        parts.append(f"echo '### {block.name}'\n")
        parts.append(LENIENT if "refused" in block.marks else STRICT)
        if block.language == "python":
            parts.append(f"python3 - <<'END_OF_BLOCK'\n{block.text}END_OF_BLOCK\n")
        else:
            parts.append(block.text)
    return "".join(parts)


def bash(text, folder, env, limit=180):
    result = subprocess.run(
        ["bash", "-c", text], cwd=folder, env=env, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=limit, check=False,
    )  # fmt: skip
    assert result.returncode == 0, f"after the last of these, {result.returncode}:\n{result.stdout}"
    return result.stdout


def test_every_block_is_of_a_known_kind():
    assert len(RUN) > 15
    for block in BLOCKS:
        assert block.language in ("sh", "python", "ini", "nginx"), block.name
        assert block.language in ("sh", "python", "ini") or block.why_not_run(), block.name


@pytest.mark.parametrize("page", sorted({block.page for block in RUN}))
def test_blocks(tmp_path, page):
    need("curl")
    folder = place(tmp_path)
    daemon = Daemon(tmp_path / "daemon").start()
    try:
        jobid = daemon.submit("echo something").replace("ƒ", "f")
        daemon.wait_end(jobid)
        text = script(b for b in RUN if b.page == page and b.language != "ini")
        text = text.replace("127.0.0.1:5000", f"127.0.0.1:{daemon.port}")
        bash(text.replace("f2oWjGy5m", jobid), folder,
             environment(folder, FLUX_RESTFUL_HOST=daemon.url))  # fmt: skip
        daemon.finish()
    finally:
        daemon.kill()


@pytest.mark.parametrize("block", DAEMONS, ids=lambda block: block.name)
def test_daemons(tmp_path, block):
    """The daemon that a block starts gets ready, takes the block's other commands, and ends."""
    if "flux" in block.marks:
        skip_unless_possible("flux")
    folder = place(tmp_path)
    first, _, rest = block.text.partition("\n")
    log = tmp_path / "log"
    # As a person at a terminal ends it, whatever stands between: by a signal to all of them.
    with open(log, "wb") as out:
        process = subprocess.Popen(
            ["bash", "-c", first], cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            env=environment(folder, PORT="0", XDG_STATE_HOME=str(tmp_path / "state")),
            start_new_session=True,
        )  # fmt: skip
    try:
        def ready():
            text = log.read_text()
            assert process.poll() is None, text
            return "ready:" in text and re.search(r"http://127\.0\.0\.1:(\d+)", text)

        port = wait_for(f"{block.name} is ready", ready).group(1)
        bash(STRICT + rest.replace("127.0.0.1:5000", f"127.0.0.1:{port}"), folder,
             environment(folder))  # fmt: skip
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(LIMIT)
        assert "stopping" in log.read_text()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.mark.parametrize("block", NOT_RUN, ids=lambda block: block.name)
def test_what_is_not_run_can_be_read(block):
    """Its reason is said; the shell reads it, and files of the project that it names are there."""
    assert len(block.why_not_run()) > 10
    if block.language != "sh":
        return
    run("bash", "-n", "-c", block.text)
    for path in re.findall(r"(?<![\w/.-])(?:deploy|packaging|docs|tools|tests)/[\w./-]+", block.text):
        assert (ROOT / path).exists(), path


def test_settings_in_ini_blocks():
    found = [block for block in BLOCKS if block.language == "ini"]
    known = run(binary(), "--help")
    for block in found:
        for name in re.findall(r"^([a-z-]+) *=", block.text, re.M):
            assert re.search(rf"--(\[no-\])?{name}\b", known), (block.name, name)


def test_pages(tmp_path):
    """They are built without a warning, hold every setting, and load nothing from elsewhere."""
    need("/usr/bin/mkdocs")
    run("tools/build-docs", binary().resolve().parent.relative_to(ROOT), "build-docs-test")
    site = ROOT / "build-docs-test" / "site"
    settings = (site / "settings.html").read_text()
    for name in re.findall(r"--(?:\[no-\])?([a-z-]+)", run(binary(), "--help")):
        if name not in ("help", "version"):
            assert re.search(rf"--(\[no-\])?{name}\b", settings), name
    pages = list(site.glob("*.html"))
    assert len(pages) > 8
    for page in pages:
        text = page.read_text()
        loaded = re.findall(r'<(?:script|img|iframe)[^>]* src="([^"]*)', text)
        loaded += re.findall(r'<link rel="(?:stylesheet|icon|preload)" href="([^"]*)', text)
        assert loaded and not [url for url in loaded if "//" in url], (page.name, loaded)


def test_pictures_are_there():
    for page in PAGES:
        for path in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page.read_text()):
            assert (page.parent / path).is_file(), (page.name, path)
