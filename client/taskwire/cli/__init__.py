"""The command `taskwire`. Each module here is one subcommand, found by the entry points `taskwire.commands`."""
