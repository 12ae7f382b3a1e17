"""Between the HTTP server and Django: bodies that arrive slowly, and connections that only hold on."""
