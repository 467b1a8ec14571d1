"""The commands, one module per noun. A command imports the engine when it runs, so that help stays fast."""
