"""The chaos run: a real instance under faults drawn from a seed, a recorded workload, and checks that decide alone."""
