"""Rule files in the admin: a page that takes them into a tenant, and actions that write selected groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.decorators import action
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget

from alertsite.tenancy.models import Tenant
from rules.admin.presenting import author_of
from rules.language.export import export_groups
from rules.language.rulefile import MAX_FILE_CHARACTERS
from rules.models import RuleGroup
from rules.services.exporting import file_groups
from rules.services.importing import RuleFile, import_files

_EXTENSIONS: Final = {"prometheus": "yml", "json": "json", "csv": "csv", "terraform": "tf"}


class _FilesWidget(UnfoldAdminFileFieldWidget):  # type: ignore[misc]
    allow_multiple_selected = True


class _FilesField(forms.FileField):
    """Several files, each a UTF-8 text of bounded length."""

    widget = _FilesWidget

    def clean(self, data: Any, initial: Any = None) -> list[RuleFile]:
        """The files as texts."""
        parts: Sequence[UploadedFile[bytes]] = data if isinstance(data, list) else [data]
        return [self._text(super(_FilesField, self).clean(part, initial)) for part in parts]

    @staticmethod
    def _text(part: UploadedFile[bytes]) -> RuleFile:
        if (part.size or 0) > MAX_FILE_CHARACTERS:
            raise forms.ValidationError(f"{part.name} has more than {MAX_FILE_CHARACTERS} bytes")
        try:
            return RuleFile(part.name or "", part.read().decode())
        except UnicodeDecodeError as error:
            raise forms.ValidationError(f"{part.name} is not UTF-8: {error}") from None


class ImportForm(forms.Form):
    """Where rule files go, and the files."""

    tenant = forms.ModelChoiceField(Tenant.objects.order_by("slug"), widget=UnfoldAdminSelectWidget)
    rule_files = _FilesField(
        help_text="Prometheus rule files or PrometheusRule objects. Groups are replaced by name."
    )


class RuleFilesAdmin:
    """What the admin of rule groups has for files."""

    actions_list: Final = ["import_page"]
    actions: Final = ["export_prometheus", "export_json", "export_csv", "export_terraform"]
    admin_site: admin.AdminSite
    model: type[RuleGroup]

    @action(description="Import rule files", url_path="import", permissions=["add"])  # type: ignore[untyped-decorator]
    def import_page(self, request: HttpRequest) -> HttpResponse:
        """Take rule files; the page then tells what became of each rule."""
        form = ImportForm(request.POST or None, request.FILES or None)
        report = None
        if request.method == "POST" and form.is_valid():
            values = form.cleaned_data
            report = import_files(values["tenant"].pk, values["rule_files"], author_of(request))
        shown = {"title": "Import rule files", "opts": self.model._meta, "form": form, "report": report}
        context = {**self.admin_site.each_context(request), **shown}
        return TemplateResponse(request, "rules/admin/import.html", context)

    @admin.action(description="Export selected groups as Prometheus YAML", permissions=["view"])
    def export_prometheus(self, request: HttpRequest, queryset: QuerySet[RuleGroup]) -> HttpResponse | None:
        """As `rules export` writes them."""
        return _file(request, queryset, "prometheus")

    @admin.action(description="Export selected groups as JSON", permissions=["view"])
    def export_json(self, request: HttpRequest, queryset: QuerySet[RuleGroup]) -> HttpResponse | None:
        """With everything that is our own."""
        return _file(request, queryset, "json")

    @admin.action(description="Export selected groups as CSV", permissions=["view"])
    def export_csv(self, request: HttpRequest, queryset: QuerySet[RuleGroup]) -> HttpResponse | None:
        """A row a rule."""
        return _file(request, queryset, "csv")

    @admin.action(description="Export selected groups as Terraform", permissions=["view"])
    def export_terraform(self, request: HttpRequest, queryset: QuerySet[RuleGroup]) -> HttpResponse | None:
        """A PrometheusRule object."""
        return _file(request, queryset, "terraform")


def _file(request: HttpRequest, groups: QuerySet[RuleGroup], form: str) -> HttpResponse | None:
    """The groups as a download; group names are told apart by tenant alone, so they must be of one."""
    tenants = set(groups.order_by().values_list("tenant__slug", flat=True))
    if len(tenants) > 1:
        messages.error(request, f"the groups are of several tenants: {', '.join(sorted(tenants))}")
        return None
    name = f"rules-{tenants.pop()}.{_EXTENSIONS[form]}"
    return HttpResponse(
        export_groups(file_groups(groups), form),
        content_type="text/plain; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
