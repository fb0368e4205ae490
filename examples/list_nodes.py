#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-only
"""Lists the nodes that are up."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "clients" / "python"))

from flux_restful_client import FluxRestfulClient, FluxRestfulError  # noqa: E402


def main() -> None:
    client = FluxRestfulClient()
    nodes = client.list_nodes()["nodes"]
    print(f"{len(nodes)} {'node is' if len(nodes) == 1 else 'nodes are'} up at {client.host}:")
    for node in nodes:
        print(f"    {node}")


if __name__ == "__main__":
    try:
        main()
    except FluxRestfulError as error:
        sys.exit(f"list_nodes.py: {error}")
