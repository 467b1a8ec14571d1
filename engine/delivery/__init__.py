"""The e-mail platform, sending side: the ledger of messages and the SMTP client."""
