"""The scopes of the API: what an account, and each of its tokens, may do."""

ALL = ("send", "send:transactional", "campaigns", "contacts", "reports", "admin")
