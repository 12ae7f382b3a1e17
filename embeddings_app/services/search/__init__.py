"""A query to hits: coalescing, fan-out, hedges, circuits, hydration."""
