"""The embedded installation: PostgreSQL, Valkey and a mail inbox from wheels, with their state under `var/`."""
