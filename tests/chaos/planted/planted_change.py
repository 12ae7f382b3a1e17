"""How a planted bug replaces a part of the product."""

from inspect import Parameter, isfunction, signature
from typing import Any


def put(owner: Any, name: str, value: Any) -> None:
    """Raises AttributeError when the product no longer has what the bug is to replace, and TypeError when that is
    called in another way: the bug would fail where it is to lie."""
    old = getattr(owner, name)
    if isfunction(old) and isfunction(value):
        parameters = signature(old).parameters.values()
        by_name = [parameter.name for parameter in parameters if parameter.kind is Parameter.KEYWORD_ONLY]
        signature(value).bind(*range(len(parameters) - len(by_name)), **dict.fromkeys(by_name))
    setattr(owner, name, value)
