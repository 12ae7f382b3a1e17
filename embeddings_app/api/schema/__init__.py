"""The OpenAPI description of every route, as JSON schemas beside the code that checks them by hand."""
