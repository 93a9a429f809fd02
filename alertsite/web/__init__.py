"""What the faces share: credentials, scopes, rate limits, pagination, problem details."""
