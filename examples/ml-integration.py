"""How likely are alerts today? Asked from Python.

Run it while `make up` is running, from the project's directory:

    .venv/bin/python examples/ml-integration.py

It asks for the tenant `demo`; another one may be named as the argument.
"""

from __future__ import annotations

import asyncio
import sys

from rules.intelligent_ml_system import create_ultra_advanced_monitoring_system


async def main(tenant: str) -> None:
    """Ask, and say what drives the answer."""
    system = await create_ultra_advanced_monitoring_system(
        {"dl_architecture": "lstm_autoencoder", "prediction_horizon": 24}
    )
    told = await system["predictive_analytics"].predict_alert_likelihood(
        tenant, {"cpu_usage": [61.0, 67.0, 74.0, 82.0], "memory_usage": 71.0}
    )
    print(f"an alert within 24 hours: {told['alert_probability']:.0%}, trust {told['trust']['score']:.1f}")
    for reason in told["trust"]["reasons"]:
        print(f"  {reason}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "demo"))
