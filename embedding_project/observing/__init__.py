"""What an operator reads later: log lines, request ids, traces."""
