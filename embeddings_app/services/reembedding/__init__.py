"""Documents that exist, given vectors of a new model version while the service goes on."""
