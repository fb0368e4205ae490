# SPDX-License-Identifier: LGPL-3.0-only
"""The package's version, alone in its file so that a build need not import the rest."""

__version__ = "0.3.0"
