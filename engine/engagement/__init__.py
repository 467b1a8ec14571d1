"""Effects of events: attribution, flags, reclassification, reactions, stops, consent."""
