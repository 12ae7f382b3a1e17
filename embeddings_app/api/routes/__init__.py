"""One file a family of routes: its request, its view, its answer, and its description for the OpenAPI document."""
