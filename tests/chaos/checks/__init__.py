"""The checks of a run: each a small class that looks at the evidence and says what is wrong with it."""
