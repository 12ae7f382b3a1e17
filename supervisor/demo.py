"""The command `demo` of manage.py: a whole instance, a real corpus in it, a few searches, then yours to play with."""

import argparse
import subprocess
import sys
from collections.abc import Sequence

from embedding_project.config import PROJECT_ROOT, ConfigError
from supervisor.cli import add_instance_options
from supervisor.errors import StartError
from supervisor.launch import Options, Running, start


def main(argv: Sequence[str]) -> int:
    """Start an instance, load the demo corpus, keep running until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="manage.py demo", description=__doc__)
    add_instance_options(parser, port=True)
    arguments = parser.parse_args(argv[1:])
    options = Options(var=arguments.var, port=arguments.port)
    try:
        running = start(options)
    except (ConfigError, StartError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1
    except KeyboardInterrupt:
        return 130
    try:
        return _show(running, options)
    except KeyboardInterrupt:
        print("\nstopping")
        return 0
    finally:
        running.stop()


def _show(running: Running, options: Options) -> int:
    command = (sys.executable, "manage.py", "load_stdlib_docs")
    code = subprocess.run(command, cwd=PROJECT_ROOT, env=options.environment(), check=False).returncode
    if code:
        return code
    print(f"still running at {running.url}, Ctrl-C stops", flush=True)
    return running.wait()
