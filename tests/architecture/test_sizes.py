"""Functions, classes and modules keep the style guide's limits; ruff holds parameters and complexity."""

import ast
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
FUNCTION_LINES, CLASS_LINES, CLASS_METHODS, MODULE_LINES, TEST_LINES = 60, 250, 15, 400, 600
CANNOT_SAY_NO = {"utils.py", "helpers.py", "common.py"}
BROAD_HANDLERS = 3


def source_files():
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    if tracked.returncode:
        pytest.skip("the sizes are those of a git checkout")
    names = [name for name in tracked.stdout.splitlines() if "/migrations/" not in name]
    return [REPOSITORY / name for name in names if (REPOSITORY / name).is_file()]


def lines_of(node):
    return node.end_lineno - node.lineno + 1


def excesses(path):
    """What in a file is too large, in words."""
    text = path.read_text(encoding="utf-8")
    name = path.relative_to(REPOSITORY)
    limit = TEST_LINES if name.parts[0] == "tests" else MODULE_LINES
    if text.count("\n") > limit:
        yield f"{name} has {text.count(chr(10))} lines, limit {limit}"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and lines_of(node) > FUNCTION_LINES:
            yield f"{name}:{node.lineno} {node.name} has {lines_of(node)} lines, limit {FUNCTION_LINES}"
        if isinstance(node, ast.ClassDef) and lines_of(node) > CLASS_LINES:
            yield f"{name}:{node.lineno} {node.name} has {lines_of(node)} lines, limit {CLASS_LINES}"
        if (
            isinstance(node, ast.ClassDef)
            and len(public_methods(node)) > CLASS_METHODS
            and limit != TEST_LINES
        ):
            yield f"{name}:{node.lineno} {node.name} has {len(public_methods(node))} methods"


def public_methods(node):
    functions = (item for item in node.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef))
    return [function for function in functions if not function.name.startswith("_")]


def test_nothing_is_too_large():
    assert [excess for path in source_files() for excess in excesses(path)] == []


def test_no_module_has_a_name_that_accepts_anything():
    assert [path for path in source_files() if path.name in CANNOT_SAY_NO] == []


def test_broad_handlers_stand_in_three_places_only():
    broad = [
        f"{path.relative_to(REPOSITORY)}:{node.lineno}"
        for path in source_files()
        if "tests" not in path.relative_to(REPOSITORY).parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ExceptHandler) and catches_everything(node)
    ]
    assert len(broad) <= BROAD_HANDLERS, broad


def catches_everything(handler):
    return handler.type is None or (
        isinstance(handler.type, ast.Name) and handler.type.id in {"Exception", "BaseException"}
    )


def test_importing_the_project_starts_nothing():
    assert (REPOSITORY / "alertsite" / "__init__.py").read_text(encoding="utf-8") == ""
