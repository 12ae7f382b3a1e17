"""Bulk jobs on Spark, and their encoder as a stage of its pipelines. Only this package needs pyspark."""
