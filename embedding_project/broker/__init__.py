"""Communication between roles: messages, replies, reports of load and life."""
