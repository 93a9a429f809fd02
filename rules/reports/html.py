"""A document as one HTML page: styles and plots inside, no script, every text escaped."""

from __future__ import annotations

from html import escape
from typing import Final

from rules.reports.document import Block, Document, Figures, Paragraph, Picture, Table, Title

_STYLE: Final = """
body{font:15px/1.5 system-ui,sans-serif;color:#111827;max-width:52rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem;margin:0}
h2{font-size:1.15rem;margin:2rem 0 .5rem}p.sub{color:#6b7280;margin:.2rem 0 1.5rem}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(11rem,1fr));gap:.6rem;margin:0}
dl div{border:1px solid #e5e7eb;border-radius:6px;padding:.5rem .75rem}dt{color:#6b7280;font-size:.85rem}
dd{margin:0;font-size:1.3rem;font-weight:600}
dd small{display:block;font-size:.8rem;font-weight:400;color:#6b7280}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{padding:.3rem .6rem;border-bottom:1px solid #e5e7eb;
text-align:left;vertical-align:top;overflow-wrap:anywhere}th{color:#6b7280;font-weight:600}
.n{text-align:right;white-space:nowrap}
svg{width:100%;height:auto}
""".strip()


def to_html(document: Document) -> str:
    """The page."""
    title = escape(document.title)
    body = "\n".join(_block(block) for block in document.blocks)
    return (
        f'<!doctype html>\n<html lang="{escape(document.language)}"><head><meta charset="utf-8">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body>\n"
        f'<h1 dir="auto">{title}</h1><p class="sub" dir="auto">{escape(document.subtitle)}</p>\n'
        f"{body}\n</body></html>\n"
    )


def _block(block: Block) -> str:
    match block:
        case Title(text):
            return f'<h2 dir="auto">{escape(text)}</h2>'
        case Paragraph(text):
            return f'<p dir="auto">{escape(text)}</p>'
        case Figures(items):
            cells = (
                f"<div><dt>{escape(one.label)}</dt><dd>{escape(one.value)}"
                f"<small>{escape(one.note)}</small></dd></div>"
                for one in items
            )
            return f"<dl>{''.join(cells)}</dl>"
        case Picture(svg, alt):
            return f'<figure role="img" aria-label="{escape(alt)}" style="margin:1rem 0">{svg}</figure>'
        case Table():
            return _table(block)


def _table(table: Table) -> str:
    head = "".join(_cell("th", text, table, column) for column, text in enumerate(table.head))
    rows = "".join(
        f"<tr>{''.join(_cell('td', text, table, column) for column, text in enumerate(row))}</tr>"
        for row in table.rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _cell(tag: str, text: str, table: Table, column: int) -> str:
    kind = 'dir="auto"' if column in table.texts else 'class="n"'
    return f"<{tag} {kind}>{escape(text)}</{tag}>"
