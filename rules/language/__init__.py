"""PromQL: parsed behind limits, planned once, evaluated over columnar frames.

How a rule becomes elements, a module a step:

    text ──lexer──▶ tokens ──parser──▶ tree (`syntax`) ──plan──▶ shape + numbers + matchers
    plans ──fusion──▶ a batch for each shape ──binding──▶ series ──reading──▶ samples of all, in one read
    batch ──evaluate──▶ frames (`frames`, `rows`) ──▶ elements

A *batch* is all rules of one shape, evaluated as one expression over the rows of all of them; a single query
is a batch of one, and a range query the same with more steps. What follows from label sets alone (groups,
matches, labels of results) belongs to `Rows` and is made once a generation of the store, so a tick is
arithmetic. `kernels` holds the loops that are compiled, `functions` what functions do, `joins` and
`aggregates` the operators.
"""
