"""Bugs that a run can plant into its instance, to show that the checks see them."""
