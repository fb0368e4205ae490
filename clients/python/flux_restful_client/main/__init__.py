# SPDX-License-Identifier: LGPL-3.0-only
"""The layout of the released 0.2, for programs written for it; see main.client."""

from typing import Any

from .client import FluxRestfulClient


def get_client(quiet: bool = False, **options: Any) -> FluxRestfulClient:
    """Returns a client that answers as the one of 0.2 did. quiet has no effect."""
    return FluxRestfulClient(quiet=quiet, **options)


__all__ = ["FluxRestfulClient", "get_client"]
