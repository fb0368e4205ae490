# SPDX-License-Identifier: LGPL-3.0-only
"""The blocks of code in a page of Markdown.

A comment before a block says what is special about it:
    <!-- test: not run: why -->   only its syntax is looked at
    <!-- test: refused -->        shows a refusal or breaks a stream off: a command may fail
    <!-- test: daemon -->         its first command is a daemon that stays; then come the others
    <!-- test: daemon, flux -->   … and needs Flux
"""

import re
from dataclasses import dataclass, field


@dataclass
class Block:
    page: str
    line: int
    language: str
    text: str
    marks: list = field(default_factory=list)

    @property
    def name(self):
        return f"{self.page}:{self.line}"

    def why_not_run(self):
        found = [mark for mark in self.marks if mark.startswith("not run: ")]
        return found[0].removeprefix("not run: ") if found else None


MARK = re.compile(r"^<!-- test: (.*?) -->$")
FENCE = re.compile(r"^```(\w*)$")


def fenced(lines, start):
    """The lines of the block whose fence opens at start, and where it ends."""
    end = start + 1
    while lines[end] != "```":
        end += 1
    return lines[start + 1 : end], end + 1


def indented(lines, start):
    end = start
    while end < len(lines) and (lines[end].startswith("    ") or not lines[end].strip()):
        end += 1
    block = [line[4:] for line in lines[start:end]]
    while not block[-1].strip():
        block.pop()
    return block, end


def blocks(path):
    """All blocks of a page, fenced and indented ones, in order."""
    lines = path.read_text(encoding="utf-8").splitlines()
    found, marks, i = [], [], 0
    while i < len(lines):
        mark, fence = MARK.match(lines[i]), FENCE.match(lines[i])
        first = i
        if mark:
            text = mark.group(1)
            marks = [text] if text.startswith("not run: ") else text.split(", ")
        elif fence:
            body, i = fenced(lines, i)
            language = fence.group(1)
        elif lines[i].startswith("    ") and i and not lines[i - 1].strip():
            body, i = indented(lines, i)
            language = "sh"
        elif lines[i].strip():
            marks = []
        if i == first:
            i += 1
            continue
        found.append(Block(path.name, first + 1, language, "\n".join(body) + "\n", marks))
        marks = []
    return found
