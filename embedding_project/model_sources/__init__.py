"""Where models come from: folders, hubs, endpoints, and the files they are made of."""
