import io

from alertsite.runtime.processes import State, Status
from alertsite.runtime.screen import Lines, Table, choose_screen, table_rows


def test_lines_say_what_changed():
    stream = io.StringIO()
    lines = Lines(stream)
    lines.show(Status("web", State.HEALTHY, pid=7))
    lines.show(Status("web", State.RESTARTING, detail="killed by SIGKILL; again in 1 s"))
    lines.say("done")
    assert stream.getvalue().splitlines() == [
        "web healthy (process 7)",
        "web restarting: killed by SIGKILL; again in 1 s",
        "done",
    ]


def test_table_is_drawn_over_the_table_before():
    stream = io.StringIO()
    table = Table(stream)
    table.show(Status("postgres", State.HEALTHY, pid=7))
    table.show(Status("web", State.UNHEALTHY, pid=8, restarts=2, detail="status 500"))
    drawn = stream.getvalue().rpartition("\x1b[2A\x1b[J")[2]
    assert [line.split() for line in drawn.splitlines()] == [
        ["process", "state", "pid", "restarts", "detail"],
        ["postgres", "\x1b[32mhealthy", "\x1b[0m", "7", "0"],
        ["web", "\x1b[31munhealthy", "\x1b[0m", "8", "2", "status", "500"],
    ]


def test_sentence_stays_above_the_table():
    stream = io.StringIO()
    table = Table(stream)
    table.show(Status("web"))
    table.say("operator made")
    assert stream.getvalue().rpartition("\x1b[J")[2].splitlines()[0] == "operator made"


def test_no_row_is_wider_than_the_terminal():
    rows = table_rows([Status("web", State.UNHEALTHY, detail="x" * 200)], columns=80)
    assert [len(row.replace("\x1b[31m", "").replace("\x1b[0m", "")) for row in rows] == [50, 80]


def test_output_into_a_file_gets_lines():
    assert isinstance(choose_screen(io.StringIO()), Lines)
