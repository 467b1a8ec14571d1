"""The embedded default: everything Cadencia needs, started from wheels, with its state under `var/`."""
