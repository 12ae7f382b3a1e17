"""Models registered, probed, activated, retired."""
