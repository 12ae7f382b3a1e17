"""Other engines on the same vectors, asked over the wire by the same kind of client."""
