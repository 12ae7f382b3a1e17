"""Files of rows, each as batches of raw values whatever its format."""
