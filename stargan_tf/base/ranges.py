"""Numbers with a range, as types of dataclass fields: parsing checks them, and type checkers see int and float."""

import re
from typing import TYPE_CHECKING, Any, TypeAlias

from jsonargparse.typing import register_type, restricted_number_type

# By the name of the type: int or float, and the range in words.
_MEANINGS: dict[str, tuple[type, str]] = {}


def _number(name: str, base: type, meaning: str, *limits: tuple[str, float]) -> Any:
    """Makes a type of numbers for jsonargparse.

    Args:
        name: of the type, shown in the help of flags.
        base: int or float.
        meaning: what follows "it must be" in errors.
        limits: comparisons, like (">=", 2), that all must hold.
    """
    restricted = restricted_number_type(name, base, list(limits))

    def read(value: Any) -> Any:
        try:
            return base(restricted(value))  # plain, since YAML, checkpoints and graphs need no types of jsonargparse
        except (TypeError, ValueError):
            raise ValueError(f"Got value: {value}") from None

    register_type(restricted, base, read)
    _MEANINGS[name] = base, meaning
    return restricted


def in_words(types: str, value: str) -> str:
    """Says what a value should have been.

    Args:
        types: names of types as jsonargparse has them in errors.
        value: the value as it was given.

    Returns:
        `types` with the ranges of this module in words; for a value that is not even a number also that it must be one.
    """
    for name, (base, meaning) in _MEANINGS.items():
        types = re.sub(rf"\blist\[{name}\]", f"{'whole numbers' if base is int else 'numbers'}, each {meaning}", types)
        try:
            base(value)
        except ValueError:
            meaning = f"{'a whole number' if base is int else 'a number'}, {meaning}"
        types = re.sub(rf"\b{name}\b", meaning, types)
    return types


if TYPE_CHECKING:
    PositiveInt: TypeAlias = int
    NonNegativeInt: TypeAlias = int
    TwoOrMore: TypeAlias = int
    TenOrMore: TypeAlias = int
    ImageSide: TypeAlias = int
    Seed: TypeAlias = int
    Port: TypeAlias = int
    JpegQuality: TypeAlias = int
    Byte: TypeAlias = int
    OneOrMore: TypeAlias = float
    PositiveFloat: TypeAlias = float
    NonNegativeFloat: TypeAlias = float
    Share: TypeAlias = float
    ShareBelowOne: TypeAlias = float
else:
    PositiveInt = _number("PositiveInt", int, "at least 1", (">", 0))
    NonNegativeInt = _number("NonNegativeInt", int, "at least 0", (">=", 0))
    TwoOrMore = _number("TwoOrMore", int, "at least 2", (">=", 2))
    TenOrMore = _number("TenOrMore", int, "at least 10", (">=", 10))
    ImageSide = _number("ImageSide", int, "at least 16", (">=", 16))
    Seed = _number("Seed", int, "at least 0 and below 2^31", (">=", 0), ("<", 2**31))
    Port = _number("Port", int, "from 0 to 65535", (">=", 0), ("<=", 65535))
    JpegQuality = _number("JpegQuality", int, "from 1 to 95", (">=", 1), ("<=", 95))
    Byte = _number("Byte", int, "from 0 to 255", (">=", 0), ("<=", 255))
    OneOrMore = _number("OneOrMore", float, "at least 1", (">=", 1))
    PositiveFloat = _number("PositiveFloat", float, "above 0", (">", 0))
    NonNegativeFloat = _number("NonNegativeFloat", float, "at least 0", (">=", 0))
    # jsonargparse has this one by another name.
    Share = _number("ClosedUnitInterval", float, "between 0 and 1", (">=", 0), ("<=", 1))
    ShareBelowOne = _number("ShareBelowOne", float, "at least 0 and below 1", (">=", 0), ("<", 1))
