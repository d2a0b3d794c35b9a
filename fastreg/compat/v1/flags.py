# ruff: noqa: N802 - the names are absl's
"""tf.app.flags: arguments of the command line, by the rules of absl, which TensorFlow takes them from.

FLAGS reads ``sys.argv`` when a flag's value is first asked for. A flag is given as ``--name=value`` or ``--name value``, a
boolean one as ``--name`` or ``--noname``; ``--`` stands before arguments that are no flags. One dash does as well as two.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any


class Error(Exception):
    """What all errors of flags are."""


class DuplicateFlagError(Error):
    """A flag is defined twice."""


class IllegalFlagValueError(Error):
    """A value does not fit its flag."""


class UnrecognizedFlagError(Error, AttributeError):
    """An argument is no flag."""


class Flag:
    """A flag's name, its value now and by default, what it is for, and how it is read from text."""

    def __init__(self, name: str, default: Any, help: str | None, parse: Callable[[Any], Any], kind: str = "") -> None:
        self.name, self.help, self.kind, self._parse = name, help or "", kind, parse
        self.boolean, self.required = parse is _boolean, False
        self.value = self.default = None if default is None else self.parse(default)

    def parse(self, value: Any) -> Any:
        """Return the value that a text stands for."""
        try:
            return self._parse(value)
        except (TypeError, ValueError) as error:
            raise IllegalFlagValueError(f"flag --{self.name}={value}: {error}") from None

    def __str__(self) -> str:
        if isinstance(self.default, (bool, list)):
            default = ",".join(self.default) if isinstance(self.default, list) else str(self.default).lower()
            default = f"'{default}'"
        else:
            default = "None" if self.default is None else f"'{self.default}'"
        lines = [f"  --{'[no]' if self.boolean else ''}{self.name}: {self.help}", f"    (default: {default})"]
        return "\n".join(lines + ([f"    ({self.kind})"] if self.kind else []))


class FlagValues:
    """The flags that are defined, as attributes; calling it with arguments reads them and returns those that are no flags."""

    def __init__(self) -> None:
        self.__dict__.update(_flags={}, _parsed=False)

    def __call__(self, argv: Sequence[str], known_only: bool = False) -> list[str]:
        """Read the flags among `argv`, whose first item is the program's name.

        Parameters
        ----------
        argv : sequence of str
        known_only : bool
            Whether flags that are not defined are returned with the rest, and no error.
        """
        rest, given = [argv[0]], iter(argv[1:])
        for argument in given:
            if argument == "--":
                rest += ([argument] if known_only else []) + list(given)
            elif not argument.startswith("-") or argument == "-":
                rest.append(argument)
            else:
                self._read(argument, given, rest if known_only else None)
        self.__dict__["_parsed"] = True
        for flag in self._flags.values():
            if flag.required and flag.value is None:
                raise IllegalFlagValueError(f"flag --{flag.name}=None: Flag --{flag.name} must have a value other than None.")
        return rest

    def _read(self, argument: str, following: Iterator[str], unknown: list[str] | None) -> None:
        name, equals, text = argument.lstrip("-").partition("=")
        flag, negated = self._flags.get(name), False
        if flag is None and name in ("help", "helpfull", "helpshort"):
            print(self.get_help())
            sys.exit(1)
        if flag is None and not equals and name.startswith("no"):
            flag, negated = self._flags.get(name[2:]), True
        if flag is None or (negated and not flag.boolean):
            if unknown is None:
                raise UnrecognizedFlagError(f"Unknown command line flag '{name}'")
            unknown.append(argument)
        elif flag.boolean and not equals:
            flag.value = not negated
        else:
            if not equals and (text := next(following, None)) is None:  # type: ignore[assignment]
                raise Error(f"Missing value for flag {argument}")
            flag.value = flag.parse(text)

    def define(self, flag: Flag) -> None:
        """Add a flag; one of another meaning must have another name."""
        if flag.name in self._flags:
            raise DuplicateFlagError(f"The flag '{flag.name}' is defined twice.")
        self._flags[flag.name] = flag

    def require(self, name: str) -> None:
        """Let a flag without a value be an error."""
        self[name].required = True

    def __getattr__(self, name: str) -> Any:
        if name not in self._flags:
            raise AttributeError(name)
        if not self._parsed:
            self(sys.argv)
        return self._flags[name].value

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._flags:
            raise AttributeError(name)
        self._flags[name].value = value

    def __delattr__(self, name: str) -> None:
        del self._flags[name]

    def __getitem__(self, name: str) -> Flag:
        flag: Flag = self._flags[name]
        return flag

    def __contains__(self, name: object) -> bool:
        return name in self._flags

    def __iter__(self) -> Iterator[str]:
        return iter(self._flags)

    def flag_values_dict(self) -> dict[str, Any]:
        """Return the flags' values by name."""
        return {name: flag.value for name, flag in self._flags.items()}

    def get_help(self) -> str:
        """Return the text of ``--help``."""
        program = sys.argv[0]
        doc = getattr(sys.modules["__main__"], "__doc__", None) or f"USAGE: {program} [flags]"
        return "\n".join(
            ["", f"       {doc.strip()}", "flags:", "", f"{program}:", *map(str, map(self._flags.get, sorted(self)))]
        )


FLAGS = FlagValues()


def _boolean(value: Any) -> bool:
    if isinstance(value, str) and value.lower() in ("true", "t", "1", "false", "f", "0"):
        return value.lower() in ("true", "t", "1")
    if isinstance(value, (bool, int)) and value in (0, 1):
        return bool(value)
    raise ValueError("Non-boolean argument to boolean flag", value)


def _integer(value: Any) -> int:
    if isinstance(value, str):
        return int(value, 0 if value[:2].lower() in ("0x", "0o") else 10)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise TypeError(f"Expect argument to be a string or int, found {type(value)}")


def _list(value: Any) -> list[str]:
    return list(value) if isinstance(value, (list, tuple)) else [item.strip() for item in value.split(",")] if value else []


def DEFINE_string(name: str, default: str | None, help: str | None) -> None:
    """Define a flag whose value is a text."""
    FLAGS.define(Flag(name, default, help, str))


def DEFINE_integer(name: str, default: int | None, help: str | None) -> None:
    """Define a flag whose value is a whole number."""
    FLAGS.define(Flag(name, default, help, _integer, "an integer"))


def DEFINE_float(name: str, default: float | None, help: str | None) -> None:
    """Define a flag whose value is a number."""
    FLAGS.define(Flag(name, default, help, float, "a number"))


def DEFINE_boolean(name: str, default: bool | None, help: str | None) -> None:
    """Define a flag that is given as ``--name`` or ``--noname``."""
    FLAGS.define(Flag(name, default, help, _boolean))


def DEFINE_list(name: str, default: Any, help: str | None) -> None:
    """Define a flag whose value is a list, given with commas."""
    FLAGS.define(Flag(name, default, help, _list, "a comma separated list"))


def DEFINE_enum(name: str, default: str | None, enum_values: Sequence[str], help: str | None) -> None:
    """Define a flag whose value is one of some texts."""

    def one_of(value: Any) -> Any:
        if value not in enum_values:
            raise ValueError(f"value should be one of <{'|'.join(enum_values)}>")
        return value

    FLAGS.define(Flag(name, default, f"<{'|'.join(enum_values)}>: {help or ''}", one_of))


def mark_flag_as_required(name: str) -> None:
    """Let a flag without a value be an error when the arguments are read."""
    FLAGS.require(name)


DEFINE_bool = DEFINE_boolean
