"""`manage.py autoscale`: more embedders on this machine while text waits, fewer when it is quiet."""
