"""Threads of a process: repeated work, held facts, turns at the interpreter."""
