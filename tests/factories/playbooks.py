"""Texts of playbooks. Each takes what a test cares about."""

from __future__ import annotations

RESTART = """\
playbook: restart a wedged service
trigger: {alert: 'alertname="ServiceDown"'}
steps:
  - id: restart
    action: restart_service
    account: prod
    with: {service: "{{ labels.service }}"}
"""


def playbook_of(*steps: str, head: str = "trigger: {manual: true}") -> str:
    """A playbook with these steps, each a line of YAML."""
    lines = "\n".join(f"  - {step}" for step in steps)
    return f"playbook: tried\n{head}\nsteps:\n{lines}\n"
