"""One class per route: decode the request, call one service, encode its result."""
