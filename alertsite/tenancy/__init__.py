"""Tenants, memberships, quotas, tenant-scoped managers."""
