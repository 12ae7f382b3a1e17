"""The embedding side: texts from the embed lanes in, vectors to inboxes and cache out. Knows no Django."""
