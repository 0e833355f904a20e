"""The shapes of docs/reference/command_line_json.md: read from the page, and held against
answers."""
import datetime
import json
import re

_TOKEN = re.compile(r'\s+|(?P<word>[a-zA-Z_]\w*)|(?P<text>"[^"]*")|(?P<sign>[{}\[\],:|?*=])')
_BASIC = {"text", "int", "number", "bool", "time", "any"}


class Malformed(Exception):
    """The page is not as it says."""


class _Parser:
    def __init__(self, source):
        self._tokens = []
        at = 0
        while at < len(source):
            match = _TOKEN.match(source, at)
            if match is None:
                raise Malformed(f"what is {source[at:at + 20]!r}?")
            if match.lastgroup:
                self._tokens.append(match.group())
            at = match.end()
        self._tokens.append("")

    def peek(self):
        return self._tokens[0]

    def next(self, expected=None):
        token = self._tokens.pop(0)
        if expected is not None and token != expected:
            raise Malformed(f"{expected!r} should be where {token!r} is")
        return token

    def shape(self):
        """One of: ("list", X), ("object", {name: (optional, X)}, X of others), ("one of", [X]),
        ("literal", text), ("named", name), or a basic type."""
        options = [self._single()]
        while self.peek() == "|":
            self.next()
            options.append(self._single())
        return options[0] if len(options) == 1 else ("one of", options)

    def _single(self):
        token = self.next()
        if token == "[":
            inner = self.shape()
            self.next("]")
            return ("list", inner)
        if token == "{":
            return self._object()
        if token.startswith('"'):
            return ("literal", token[1:-1])
        if token in _BASIC:
            return token
        if re.fullmatch(r"[A-Z]\w*", token):
            return ("named", token)
        raise Malformed(f"{token!r} is no shape")

    def _object(self):
        fields, others = {}, None
        while self.peek() != "}":
            name = self.next()
            optional = self.peek() == "?"
            if optional:
                self.next()
            inner = "text"
            if self.peek() == ":":
                self.next()
                inner = self.shape()
            if name == "*":
                others = inner
            elif name in fields:
                raise Malformed(f"two fields {name}")
            else:
                fields[name] = (optional, inner)
            if self.peek() == ",":
                self.next()
        self.next("}")
        return ("object", fields, others)


class Page:
    """`commands`: of each, the alternatives of [(shape, how often)], which is "", "?" or "*"."""

    def __init__(self, text):
        block = re.search(r"^```shapes\n(.*?)^```", text, re.S | re.M)
        if block is None:
            raise Malformed("the page has no block ```shapes")
        lines = re.sub(r"^#.*\n", "", block.group(1), flags=re.M)
        # What is indented belongs to the line above it.
        statements = re.sub(r"\n[ \t]+", " ", lines).split("\n")
        self.shapes, self.commands = {}, {}
        for statement in filter(None, map(str.strip, statements)):
            name = re.match(r"(?P<shape>[A-Z]\w*) = |(?P<command>[a-z][a-z -]*): ", statement)
            if name is None:
                raise Malformed(f"neither a shape nor a command: {statement}")
            parser = _Parser(statement[name.end() :])
            if name["shape"]:
                self.shapes[name["shape"]] = parser.shape()
            else:
                self.commands[name["command"]] = self._answers(parser)
            if parser.peek():
                raise Malformed(f"{parser.peek()!r} is too much in: {statement}")

    @staticmethod
    def _answers(parser):
        alternatives = []
        while True:
            sequence = []
            while True:
                shape = parser._single()  # pylint: disable=protected-access
                times = parser.next() if parser.peek() in ("*", "?") else ""
                sequence.append((shape, times))
                if parser.peek() != ",":
                    break
                parser.next()
            alternatives.append(sequence)
            if parser.peek() != "|":
                return alternatives
            parser.next()

    def fits(self, shape, value, where=""):
        """None, or what is wrong."""
        if isinstance(shape, str):
            return None if _is(shape, value) else f"{where or 'it'} is {value!r}, and no {shape}"
        kind = shape[0]
        if kind == "named":
            if shape[1] not in self.shapes:
                raise Malformed(f"there is no shape {shape[1]}")
            return self.fits(self.shapes[shape[1]], value, where)
        if kind == "literal":
            return (
                None if value == shape[1] else f"{where or 'it'} is {value!r}, and not {shape[1]!r}"
            )
        if kind == "one of":
            wrong = [self.fits(one, value, where) for one in shape[1]]
            return None if None in wrong else " or ".join(wrong)
        if kind == "list":
            if not isinstance(value, list):
                return f"{where or 'it'} is {value!r}, and no list"
            wrong = (self.fits(shape[1], one, f"{where}[{i}]") for i, one in enumerate(value))
            return next(filter(None, wrong), None)
        return self._fits_object(shape, value, where)

    def _fits_object(self, shape, value, where):
        _, fields, others = shape
        if not isinstance(value, dict):
            return f"{where or 'it'} is {value!r}, and no object"
        for name, (optional, _) in fields.items():
            if name not in value and not optional:
                return f"{where}.{name} is not there"
        for name, inner in value.items():
            if name not in fields and others is None:
                return f"{where}.{name} is not on the page"
            wrong = self.fits(
                fields[name][1] if name in fields else others, inner, f"{where}.{name}"
            )
            if wrong:
                return wrong
        return None

    def check(self, command, output):
        """None, or what is wrong with what a command answered."""
        lines = output.splitlines()
        try:
            values = [json.loads(line) for line in lines]
        except json.JSONDecodeError as error:
            return f"no JSON, one value a line: {error}: {output[:200]}"
        wrong = [self._check_sequence(sequence, values) for sequence in self.commands[command]]
        return None if None in wrong else "; or ".join(wrong)

    def _check_sequence(self, sequence, values):
        rest = list(values)
        for shape, times in sequence:
            if times == "*":
                taken, rest = rest, []
            elif not rest:
                taken = []
                if times != "?":
                    return "a line is missing"
            else:
                taken = [rest.pop(0)]
            for value in taken:
                wrong = self.fits(shape, value)
                if wrong:
                    return wrong
        return f"a line too much: {rest[0]}" if rest else None


def _is(kind, value):
    if kind == "any":
        return True
    if kind == "bool":
        return isinstance(value, bool)
    if kind in ("int", "number"):
        allowed = int if kind == "int" else (int, float)
        return isinstance(value, allowed) and not isinstance(value, bool)
    if not isinstance(value, str):
        return False
    if kind == "text":
        return True
    try:
        datetime.datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%fZ")
    except ValueError:
        return False
    return True
