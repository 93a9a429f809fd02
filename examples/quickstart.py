"""The first steps from Python: add a rule, evaluate, look at the result.

Run it while `make up` is running, from the project's directory:

    .venv/bin/python examples/quickstart.py

It watches this machine for the tenant `quickstart`.
"""

from __future__ import annotations

import asyncio

from rules import RuleEvaluationConfig, create_rule_manager


async def main() -> None:
    """Add a rule and evaluate it."""
    # Other servers than those of `make up`: pass redis_url= and database_url=.
    manager = await create_rule_manager(config=RuleEvaluationConfig(evaluation_interval_s=15))
    await manager.add_rule(
        {
            "tenant_id": "quickstart",
            "name": "MemoryInUse",
            "condition": {
                "type": "threshold",
                "metric_path": "current_metrics.memory_usage",
                "operator": ">",
                "threshold": 1.0,
            },
            "severity": "info",
        }
    )
    for result in await manager.evaluate_tenant_rules("quickstart"):
        print(f"{result.rule_name}: {result.state}, values {result.values}")


if __name__ == "__main__":
    asyncio.run(main())
