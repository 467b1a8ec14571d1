"""Access to the API: accounts, bearer tokens, scopes and idempotency keys."""
