"""``GET api/kaa/opened?path=``: which kernel a notebook was opened with in place of its own."""

from __future__ import annotations

import json

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web


class OpenedHandler(APIHandler):
    """Answers with one note of :mod:`kaa.jupyter.contents`, or with null; Tornado's subclass."""

    auth_resource = "contents"

    @web.authenticated
    @authorized
    def get(self) -> None:
        """Say it of the notebook at ``path``, as the contents API has paths."""
        notes = getattr(self.contents_manager, "opened_with", {})
        note = notes.get(self.get_query_argument("path").strip("/"))
        self.finish(json.dumps(note))
