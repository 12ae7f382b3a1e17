"""Commands of Django. Settings are asked for only after the arguments have been found to be right.

So help and usage errors need no instance and no setting.
"""

import sys
from collections.abc import Sequence

import django
from django.core.management import CommandError, ManagementUtility, get_commands, load_command_class
from django.db import InterfaceError, OperationalError

from embedding_project.config import ConfigError, instance_file, load_config, use_stand_ins

_USAGE = 2
_NEED_NO_INSTANCE = {"verify_backup"}


def main(argv: Sequence[str]) -> int:
    """Run the command; the exit code is 1 for a failure, 2 for wrong usage or a missing setting."""
    name = argv[0]
    file, problem = instance_file(), ""
    try:
        load_config()
    except ConfigError as error:
        problem = str(error)
        use_stand_ins()
    django.setup()
    if name not in get_commands():
        print(f"there is no command {name!r}; 'manage.py help' lists all", file=sys.stderr)
        return _USAGE
    if problem and name not in _NEED_NO_INSTANCE:
        _check_usage(name, argv[1:])
        print(f"{name}: {problem}", file=sys.stderr)
        return _USAGE
    try:
        ManagementUtility(["manage.py", *argv]).execute()
    except (OperationalError, InterfaceError) as error:
        reason = str(error).strip().split("\n", 1)[0]
        print(f"{name}: the database failed: {reason}", file=sys.stderr)
        if file.exists():
            print(f"The address is from {file}; 'manage.py up' writes it", file=sys.stderr)
        return 1
    return 0


def _check_usage(name: str, arguments: Sequence[str]) -> None:
    """Print help, or what is wrong with the arguments, and end the process; return when they are right."""
    command = load_command_class(get_commands()[name], name)
    parser = command.create_parser("manage.py", name)
    parser.called_from_command_line = True
    try:
        parser.parse_args(list(arguments))
    except CommandError as error:  # the parsers of sub-commands, made before the line above, raise
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(_USAGE)
