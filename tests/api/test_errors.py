# SPDX-License-Identifier: LGPL-3.0-only
"""The table of error codes for readers is the one in the source."""

import re

from restd import CODES, ROOT


def test_each_code_is_in_the_table():
    text = (ROOT / "docs" / "errors.md").read_text()
    header = (ROOT / "src" / "base" / "error.h").read_text()
    statuses = dict(
        re.findall(r"\[(FR_CODE_\w+)\] = (\d+)", (ROOT / "src" / "api" / "problem.c").read_text())
    )
    codes = re.findall(r'X\((FR_CODE_\w+), "([\w-]+)",[\s\\]*"([^"]+)"\)', header)
    rows = re.findall(r"^\| `([\w-]+)` \| (\d+) \| ([^|]+) \| [^|]+ \|$", text, re.M)
    assert rows == [(word, statuses[sym], title) for sym, word, title in codes]
    assert {word for _, word, _ in codes} == CODES
