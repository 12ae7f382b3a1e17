"""What the OpenAPI descriptions of several routes share."""
