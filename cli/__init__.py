"""The `cadencia` command, which calls the engine from a terminal; one module per noun in `commands`."""
