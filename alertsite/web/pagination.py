"""Cursor pages: stable while rows come and go, and bounded."""

from __future__ import annotations

from rest_framework.pagination import CursorPagination


class CursorPages(CursorPagination):
    """`?limit=` up to 1000, `?cursor=` from the `next` link. Views name their `ordering`."""

    page_size = 100
    page_size_query_param = "limit"
    max_page_size = 1000
    ordering: str | tuple[str, ...] = "-pk"


class ByName(CursorPages):
    """Ordered by name."""

    ordering = ("name", "id")
