"""Killing, stopping, starving and confusing real processes: no message may be lost, none may go out twice."""
