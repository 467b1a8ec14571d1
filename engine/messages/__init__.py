"""From an e-mail to the bytes of its message: compose, prerendered messages, header fields, MIME."""
