"""Threads of a process: repeated work, cached facts, turns at the interpreter."""
