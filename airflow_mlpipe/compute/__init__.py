"""ON WHAT a step runs: one thin client per kind of target behind one protocol (:mod:`.base`)."""
