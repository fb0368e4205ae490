# SPDX-License-Identifier: LGPL-3.0-only
"""A client of flux-restd: submit, watch and cancel jobs over HTTP.

>>> from flux_restful_client import FluxRestfulClient
>>> with FluxRestfulClient() as client:
...     job = client.submit(["echo", "hello"])
...     for line in client.stream_output(job["jobid"]):
...         print(line)
"""

from .client import FluxRestfulClient
from .errors import (
    BadRequestError,
    ConflictError,
    FluxRestfulError,
    ForbiddenError,
    GoneError,
    LostConnectionError,
    NotFoundError,
    UnauthorizedError,
    UnavailableError,
)
from .streams import OutputPiece
from .version import __version__

__all__ = [
    "BadRequestError",
    "ConflictError",
    "FluxRestfulClient",
    "FluxRestfulError",
    "ForbiddenError",
    "GoneError",
    "LostConnectionError",
    "NotFoundError",
    "OutputPiece",
    "UnauthorizedError",
    "UnavailableError",
    "__version__",
]
