"""Messages of the engine that pages repeat in the reader's language (see `faults`), by what they are about."""
