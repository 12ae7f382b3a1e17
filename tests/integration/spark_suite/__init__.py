"""Tests that need pyspark, run by `test_spark_suite` in the environment that has it."""
