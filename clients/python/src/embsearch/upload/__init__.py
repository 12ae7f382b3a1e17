"""Loading many documents: `namespace.upload`."""
