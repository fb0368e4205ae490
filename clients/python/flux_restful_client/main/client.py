# SPDX-License-Identifier: LGPL-3.0-only
"""The client with the return values of the released 0.2.

There, a refused submit() or cancel() returned the server's reply instead of raising, and
jobs() of an unknown id printed a line and returned None. New programs import
FluxRestfulClient from flux_restful_client, which raises.
"""

from typing import Any, Dict, Optional

from ..client import Command, JobId
from ..client import FluxRestfulClient as _Client
from ..errors import BadRequestError, ConflictError, NotFoundError


class FluxRestfulClient(_Client):
    """FluxRestfulClient as code written for 0.2 expects it.

    quiet and secret_key are taken and have no effect: credentials are sent as HTTP Basic, so
    that the server's secret key is not needed.
    """

    def __init__(
        self,
        host: Optional[str] = None,
        user: Optional[str] = None,
        token: Optional[str] = None,
        quiet: bool = False,
        secret_key: Optional[str] = None,
        **options: Any,
    ) -> None:
        super().__init__(host, user, token, **options)

    def submit(self, command: Command, **fields: Any) -> Dict[str, Any]:
        """As the base class, but returns the reply of a refused job."""
        if isinstance(command, (list, tuple)):
            # 0.2 joined the words, and the server split them again as a shell does.
            command = " ".join(str(word) for word in command)
        try:
            return super().submit(command, **fields)
        except BadRequestError as error:
            return error.body

    def cancel(self, jobid: JobId, reason: Optional[str] = None) -> Dict[str, Any]:
        """As the base class, but returns the reply when the job cannot be cancelled."""
        try:
            return super().cancel(jobid, reason)
        except (BadRequestError, ConflictError, NotFoundError) as error:
            return error.body

    def jobs(
        self,
        jobid: Optional[JobId] = None,
        detail: bool = False,
        listing: bool = False,
        **filters: Any,
    ) -> Any:
        """As the base class, but None (and a line printed) for an unknown id."""
        if jobid is not None:
            try:
                return super().jobs(jobid)
            except NotFoundError:
                print("There is no job with that id.")
                return None
        return super().jobs(detail=detail, listing=listing, **filters)
