#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-only
"""Stops the server. Beside Flux its instance ends too; local jobs that run go on."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "clients" / "python"))

from flux_restful_client import FluxRestfulClient, FluxRestfulError  # noqa: E402


def main() -> None:
    print(FluxRestfulClient().stop_service()["Message"])


if __name__ == "__main__":
    try:
        main()
    except FluxRestfulError as error:
        sys.exit(f"stop_service.py: {error}")
