"""Says in a user's words what jsonargparse says for programmers."""

import re

from stargan_tf.base import ranges

# How the types of fields are called in errors.
_TYPES = {
    r"\bint, tuple\[int, int\]": "a whole number or [height, width]",
    r", tuple\[int, int\]": ", or two values like [0,4095]",
    r"^tuple\[int, int\]": "two whole numbers in brackets, like [1, 2]",
    r"\btuple with 2 elements\b": "two values in brackets, like [1, 2]",
    r"\blist\[int\]": "whole numbers, like 1 2 3",
    r"\blist\[float\]": "numbers, like 0.5 1",
    r"\bint\b": "a whole number",
    r"\bfloat\b": "a number",
    r"\bbool\b": "true or false",
    r", NoneType\b": " or null",
}


def one_sentence(message: str) -> str:
    """Returns an error of jsonargparse as one sentence on one line: flag, value, and what would be right."""
    message = re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", " ".join(message.split()).rstrip("."))
    if mode := re.match(r"argument (\w+): invalid choice: (.*) \(choose from (.*)\)", message):
        return f"there is no {mode[1]} {mode[2]}; choose " + mode[3].replace("'", "")
    if mode := re.match(r'expected "(\w+)" to be one of {(.*)}, but it was not provided', message):
        return f"no {mode[1]} is named; it must be one of " + mode[2].replace(",", ", ")
    if option := re.match(r"Subcommand '\w+' does not accept option (.*)", message):
        return f"Option {option[1]} is not accepted"  # as jsonargparse says it of commands without modes
    if unknown := re.match(r"Group '([\w.]+)' does not accept option '([\w.]+)'", message):
        return f"Option '{unknown[1]}.{unknown[2]}' is not accepted"
    if missing := re.match(r"the following arguments are required: (.*)", message):
        return "missing: " + ", ".join(f"--{name}" for name in missing[1].split(", "))
    key = re.match(r'Parser key "([\w.]+)": (.*)', message)
    if key is None:
        return message
    name, problem = key.groups()
    mistake = _mistake(problem)
    return f"--{name}: {problem}" if mistake is None else "--{} is {}; it must be {}".format(name, *mistake)


def _mistake(problem: str) -> tuple[str, str] | None:
    """Returns the value that jsonargparse complains of, as it is shown to a user, and what would be right."""
    if union := re.search(r"Subtypes: \[(.*?)\] Errors: .* Given value: (.*)", problem):
        expected, value = union[1], union[2]
    elif single := re.match(r"(?:Expected an?|Not of type) (.*?)[.:] Got value: (.*)", problem):
        expected, value = single[1], single[2]
    elif section := re.match(r"Unable to load config [\"'](.*?)[\"'](?: - |$)", problem):
        expected, value = "a section, or a file with one", section[1]
    else:
        return None
    expected = re.sub(r"typing\.Literal\[(.*?)\]", lambda literal: "one of " + literal[1].replace("'", ""), expected)
    expected = expected.replace("jsonargparse.typing.", "")
    in_words, shown = ranges.in_words(expected, value), repr(value)
    if in_words != expected:
        # Numbers that are out of range need no quotation marks, and whoever gives a number does not mean null.
        is_number = re.fullmatch(r"-?[\d.e+-]+|-?inf|nan", value) is not None
        in_words = in_words.replace(", NoneType", "" if is_number else ", or null")
        shown = value if is_number or value.startswith("[") else shown
    for type_name, meaning in _TYPES.items():
        in_words = re.sub(type_name, meaning, in_words)
    return shown, in_words
