"""The console: pages for people who search, look at documents and compare, drawn in the browser from the public API."""
