"""What is done to the instance: one class per kind of fault, with `inject` and `heal`."""
