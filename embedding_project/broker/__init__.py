"""What roles say to each other: messages sent, replies heard, reports of load and life."""
