"""What `helm template` does with our chart: Go's templates with the few functions of Helm that it uses."""

import re

import yaml

from rules.notify.gotemplate.builtins import BUILTINS
from rules.notify.gotemplate.evaluator import Data, execute
from rules.notify.gotemplate.limits import TemplateLimits
from rules.notify.gotemplate.nodes import Template
from rules.notify.gotemplate.parser import parse
from rules.notify.gotemplate.values import Function, is_true

LIMITS = TemplateLimits(steps=1_000_000, output=1_000_000)


def rendered(chart, changes=None, *, release="alerts"):
    """Objects of a chart, as dicts, with some top-level values changed."""
    values = yaml.safe_load((chart / "values.yaml").read_text(encoding="utf-8")) | (changes or {})
    about = yaml.safe_load((chart / "Chart.yaml").read_text(encoding="utf-8"))
    root = {
        "Values": values,
        "Chart": {"Name": about["name"], "AppVersion": about["appVersion"]},
        "Release": {"Name": release, "Revision": 1},
    }
    parts = (chart / "templates" / "_parts.tpl").read_text(encoding="utf-8")
    return [
        document
        for path in sorted((chart / "templates").glob("*.yaml"))
        for document in yaml.safe_load_all(filled(parts + path.read_text(encoding="utf-8"), root))
        if document
    ]


def filled(text, root):
    """The text of one template."""
    functions = {**BUILTINS, **HELM}
    template = parse(text, [*functions, "include"])

    def include(name, argument):
        part = Template(text, template.defined[name], template.defined)
        return execute(part, Data(argument, {}), functions, LIMITS)

    functions["include"] = Function(include, (str, object))
    return execute(template, Data(root, {}), functions, LIMITS)


def to_yaml(value):
    return yaml.safe_dump(value, default_flow_style=False).rstrip("\n")


def indented(width, text):
    return "\n" + re.sub("^", " " * width, text, flags=re.MULTILINE)


HELM = {
    "toYaml": Function(to_yaml, (object,)),
    "nindent": Function(indented, (int, str)),
    "default": Function(lambda standing, value: value if is_true(value) else standing, (object, object)),
    "quote": Function(lambda value: '"' + str(value) + '"', (object,)),
    "int": Function(int, (object,)),
    "list": Function(lambda *values: values, (), object),
}
