"""What the service does: every decision between the HTTP edge and the tables."""
