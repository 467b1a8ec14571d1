"""The `cadencia` command: a terminal's way into the engine, with one module per noun in `commands`."""
