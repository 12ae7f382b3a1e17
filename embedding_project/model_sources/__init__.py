"""Sources of models: folders, hubs, endpoints, and the files in them."""
