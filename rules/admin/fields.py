"""Form fields for what rows keep as JSON and people write otherwise."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.db.models import Field, JSONField
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminTextareaWidget


class LinesField(forms.CharField):
    """A list of texts, one a line."""

    widget = UnfoldAdminTextareaWidget

    def prepare_value(self, value: Any) -> Any:
        """A stored list as lines; what a person wrote stays as it is."""
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        """The lines that hold anything."""
        return (
            value
            if isinstance(value, list)
            else [line.strip() for line in (value or "").splitlines() if line.strip()]
        )


class WrittenJSONField(forms.JSONField):
    """JSON that a person writes: where there is none yet, the field is empty."""

    def prepare_value(self, value: Any) -> Any:
        """Nothing, in place of `null`."""
        return "" if value is None else super().prepare_value(value)


class WrittenFields:
    """For a `ModelAdmin`: JSON as people write it; the columns in `lines` as one text a line."""

    lines: ClassVar[dict[str, str]] = {}
    """Help for each."""

    def formfield_for_dbfield(self, db_field: Field[Any, Any], request: HttpRequest, **kwargs: Any) -> Any:
        """The field of a form."""
        if db_field.name in self.lines:
            label = str(db_field.verbose_name).capitalize()
            return LinesField(label=label, required=not db_field.blank, help_text=self.lines[db_field.name])
        if isinstance(db_field, JSONField):
            kwargs.setdefault("form_class", WrittenJSONField)
        return super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[misc]
