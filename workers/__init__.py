"""The embedding side: it takes texts from the embed lanes, and sends vectors to inboxes and cache. Without Django."""
