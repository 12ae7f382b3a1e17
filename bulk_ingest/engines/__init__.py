"""What does the tasks of bulk jobs: processes of this machine, or Spark."""
