#!/usr/bin/python3
"""That json_shapes finds what does not fit."""
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import json_shapes  # pylint: disable=wrong-import-position

PAGE = """
```shapes
# A comment.
Thing = {id, n: int, when?: time,
  more?: [{a: bool | "x"}], counts: {*: int}}
thing show: Thing
thing list: Thing*
thing send: {id}, Thing?
thing end: Thing | {gone: bool}
```
"""
GOOD = '{"id":"a","n":1,"counts":{"b":2}}'


def main():
    page = json_shapes.Page(PAGE)
    assert set(page.commands) == {"thing show", "thing list", "thing send", "thing end"}
    for command, answer in [
        ("thing show", GOOD),
        (
            "thing show",
            (
                '{"id":"a","n":1,"when":"2026-12-24T18:00:00.000Z","more":[{"a":"x"},{"a":true}],'
                '"counts":{}}'
            ),
        ),
        ("thing list", ""),
        ("thing list", f"{GOOD}\n{GOOD}\n"),
        ("thing send", '{"id":"a"}'),
        ("thing send", '{"id":"a"}\n' + GOOD),
        ("thing end", GOOD),
        ("thing end", '{"gone":false}'),
    ]:
        wrong = page.check(command, answer)
        assert wrong is None, (command, answer, wrong)
    for command, answer, why in [
        ("thing show", "", "a line is missing"),
        ("thing show", f"{GOOD}\n{GOOD}", "a line too much"),
        ("thing show", "no", "no JSON"),
        ("thing show", "[]", "no object"),
        ("thing show", '{"n":1,"counts":{}}', ".id is not there"),
        ("thing show", '{"id":"a","n":1,"counts":{},"z":1}', ".z is not on the page"),
        ("thing show", '{"id":"a","n":true,"counts":{}}', "no int"),
        ("thing show", '{"id":"a","n":1.5,"counts":{}}', "no int"),
        ("thing show", '{"id":null,"n":1,"counts":{}}', "no text"),
        ("thing show", '{"id":"a","n":1,"counts":{"b":"2"}}', ".counts.b is '2'"),
        ("thing show", '{"id":"a","n":1,"when":"yesterday","counts":{}}', "no time"),
        ("thing show", '{"id":"a","n":1,"more":[{"a":"y"}],"counts":{}}', ".more[0].a"),
        ("thing list", f"{GOOD}\n{{}}", ".id is not there"),
        ("thing send", f"{GOOD}\n{GOOD}", ".n is not on the page"),
        ("thing end", '{"gone":1}', "no bool"),
    ]:
        wrong = page.check(command, answer)
        assert wrong is not None and why in wrong, (command, answer, wrong)
    for broken in [
        "no page",
        "```shapes\nThing = {id\n```\n",
        "```shapes\nthing: {a: }\n```\n",
        "```shapes\nwhat?\n```\n",
        "```shapes\nA = {b, b}\n```\n",
    ]:
        try:
            json_shapes.Page(broken)
        except (json_shapes.Malformed, IndexError):
            continue
        raise AssertionError(f"taken for a page: {broken}")
    print("ok")


if __name__ == "__main__":
    main()
