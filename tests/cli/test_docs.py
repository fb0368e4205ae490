# SPDX-License-Identifier: LGPL-3.0-only
"""What is made out of the tables: man pages and completions."""

import re
import shutil
import subprocess

import pytest
from conftest import client
from restd import LIMIT, ROOT, binary, clean_environment

BUILT = binary().parent / "src" / "cli"


def run(*command, **options):
    result = subprocess.run(
        command, capture_output=True, text=True, timeout=LIMIT, check=False,
        env=clean_environment({"PATH": f"{client().parent}:/usr/bin:/bin"}), **options,
    )  # fmt: skip
    assert result.returncode == 0, (command, result.stderr)
    return result.stdout, result.stderr


def need(program):
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")


def options_of(help_text):
    return set(re.findall(r"^ +(?:-\w, )?(--(?:\[no-\])?[a-z-]+)", help_text, re.M))


def commands():
    text = run(client(), "--help")[0]
    block = re.search(r"^Commands:\n(.*?)\n\n", text, re.M | re.S).group(1)
    return re.findall(r"^  (\w+)", block, re.M)


@pytest.mark.parametrize("page", ["flux-rest.1", "flux-restd.8"])
def test_a_man_page_is_good_roff(page):
    need("groff")
    assert run("groff", "-man", "-Tutf8", "-ww", "-z", str(BUILT / page)) == ("", "")


def rendered(page):
    need("groff")
    text = run("groff", "-man", "-Tascii", "-P-c", "-P-b", "-P-u", str(BUILT / page))[0]
    return re.sub(r".\x08", "", text)


def test_the_client_page_has_all():
    text = rendered("flux-rest.1")
    assert len(commands()) >= 15
    for command in commands():
        assert f"flux-rest {command} [OPTION]..." in text
        options = options_of(run(client(), command, "--help")[0])
        assert "--json" in options
        for option in options:
            assert re.search(rf"{re.escape(option)}\b", text), (command, option)


def test_the_daemon_page_has_all():
    text = rendered("flux-restd.8")
    options = options_of(run(binary(), "--help")[0])
    assert "--listen" in options and len(options) > 20
    for option in options:
        assert f"{option}" in text, option
    assert "FLUX_RESTD_LISTEN" in text and "--token TEXT" not in text


COMPLETE = r"""
source "$0"
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
compopt() { :; }
_flux_rest
printf '%s\n' "${COMPREPLY[@]}"
"""


def complete(*words, cwd=None):
    """What bash offers for the last of the words."""
    script = ["bash", "-c", COMPLETE, str(BUILT / "flux-rest.bash"), "flux-rest", *words]
    return run(*script, cwd=cwd)[0].split()


def test_bash(tmp_path):
    (tmp_path / "some.txt").touch()
    (tmp_path / "folder").mkdir()
    assert complete("su") == ["submit"]
    assert complete("") == commands()
    assert complete("--url", "http://x", "jo") == ["jobs", "job"]
    assert complete("--url", "=", "x", "info", "--js") == ["--json"]
    assert complete("jobs", "--f") == ["--format=", "--filter="]
    assert complete("jobs", "--filter", "=", "ru") == ["running", "run"]
    assert complete("jobs", "--filter", "=") != []
    assert complete("jobs", "-f", "ti") == ["timeout"]
    assert complete("submit", "-n", "") == []
    assert complete("submit", "--cwd", "=", "", cwd=tmp_path) == ["folder"]
    assert complete("submit", "--input", "so", cwd=tmp_path) == ["some.txt"]
    assert complete("bulksubmit", "so", cwd=tmp_path) == ["some.txt"]


def test_zsh():
    need("zsh")
    path = BUILT / "_flux-rest"
    assert run("zsh", "-n", str(path)) == ("", "")
    text = path.read_text()
    assert text.startswith("#compdef flux-rest\n")
    for command in commands():
        assert f"\n    {command})\n" in text
    # What _arguments takes is known when it reads it: with a terminal of its own.
    script = r"""
        zmodload zsh/zpty
        zpty z zsh -f -i
        zpty -w z "PS1=READY; fpath=($1 \$fpath); autoload -U compinit; compinit -u -D"
        zpty -w z "compdef _flux-rest flux-rest; bindkey '^I' expand-or-complete"
        zpty -w z "zstyle ':completion:*' list-prompt ''; setopt no_always_last_prompt; clear"
        zpty -n -w z $'flux-rest jobs --js\t'
        while zpty -r z line; do
            print -r -- $line
            [[ $line == *--json* ]] && exit 0
        done
        exit 1
    """
    assert "--json" in run("zsh", "-f", "-c", script, "zsh", str(BUILT))[0]
