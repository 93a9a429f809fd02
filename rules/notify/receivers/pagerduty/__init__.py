"""The PagerDuty receiver."""
