"""JSON bodies, refused where what they hold could be neither stored nor sent back."""

from __future__ import annotations

import json
from typing import Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser


class EncodableJSONParser(JSONParser):
    """JSON whose texts are Unicode: an escaped half of a surrogate pair is none."""

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        """The body's value.

        Raises
        ------
        ParseError
            If it is not JSON, lies too deep, or a text in it cannot be encoded.
        """
        try:
            value = super().parse(stream, media_type, parser_context)
            json.dumps(value, ensure_ascii=False).encode()
        except RecursionError:
            raise ParseError("lists and objects lie too deep in one another") from None
        except UnicodeEncodeError as error:
            raise ParseError(f"a text holds {error.object[error.start]!r}, which is no character") from None
        return value
