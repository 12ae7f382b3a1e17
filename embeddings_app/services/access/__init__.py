"""Who may ask, and how often: keys, callers, rates."""
