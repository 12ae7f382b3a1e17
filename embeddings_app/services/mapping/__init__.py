"""Documents in a plane, for eyes: a sample, two directions, and what else is placed among them."""
