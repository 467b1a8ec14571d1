"""E-mail templates: the sandbox, compiling, checking."""
