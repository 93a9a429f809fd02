"""Metrics in, notifications out.

The documented entry point: `from rules import create_rule_manager, RuleEvaluationConfig`.
"""

from rules.manager import RuleEvaluationConfig, create_rule_manager

__all__ = ["RuleEvaluationConfig", "create_rule_manager"]
