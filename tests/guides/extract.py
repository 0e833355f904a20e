#!/usr/bin/python3
"""Makes of a guide what its reader does: a script of its commands, and the files that it shows.

    extract.py PAGE.md FOLDER     writes FOLDER/run.sh, to be sourced there by bash, and the files
    extract.py --check PAGE.md... says what of these pages is not run, and fails if one is unclear

Commands are the blocks ```sh, typed into one shell in their order; each must succeed. A comment
right above a block says what else it is, and is not seen on the page:

    <!-- guide: file NAME -->                      the block is this file
    <!-- guide: given -->                          what the reader knows: each variable must be set
    <!-- guide: background NAME until PATTERN -->  goes on; its output in NAME.log comes to PATTERN
    <!-- guide: shows PATTERN -->                  the output has a line with PATTERN (grep -E)
    <!-- guide: copy NAME from LOG: PATTERN -->    what the reader copies from another terminal: the
                                                   variable, from LOG.log (grep -oE); with the
                                                   others
    <!-- guide: reaches LOG: PATTERN -->           then LOG.log comes to PATTERN; with the others
    <!-- guide: not run: REASON -->

A block of any other language is text, unless it is one of those that programs are written in: these
are files.
"""
import pathlib
import re
import sys

COMMANDS = {"sh", "bash", "shell", "console"}
PROGRAMS = {"python", "js", "javascript", "c", "cpp", "go"}

PROLOGUE = r"""
# Made by tests/guides/extract.py. Commands of a guide, as its reader types them.
set -euo pipefail
await_line() { # PATTERN FILE
  local tries
  for ((tries = 0; tries < 600; tries++)); do
    ! grep -qE -e "$1" "$2" 2>/dev/null || return 0
    sleep 0.1
  done
  echo "$2 never has a line with $1:" && cat "$2"
  return 1
}
shows() { # PATTERN FILE
  cat "$2"
  grep -qE -e "$1" "$2" || { echo "no line has $1" && return 1; }
}
""".lstrip()


def quoted(text):
    """As bash takes it for one word. (shlex is in no minimal Python.)"""
    return "'" + text.replace("'", "'\\''") + "'"


class Unclear(Exception):
    """A page that a test can't follow."""


class Block:
    """What stands between two fences."""

    def __init__(self, page, line, language, directives):
        self.where = f"{page}:{line}"
        self.language = language
        self.copies = [words for words in directives if words.startswith("copy ")]
        self.reaches = [words for words in directives if words.startswith("reaches ")]
        others = [words for words in directives if words not in self.copies + self.reaches]
        if len(others) > 1:
            raise Unclear(f"{self.where}: of these only one: {others}")
        self.directive = others[0] if others else ""
        self.lines = []

    @property
    def text(self):
        return "".join(line + "\n" for line in self.lines)

    def argument(self, word):
        """What follows `word` in the directive; None if it is another one."""
        if self.directive == word or self.directive.startswith(word + " "):
            return self.directive[len(word) :].strip()
        return None


def read_blocks(path):
    """All blocks of a page."""
    blocks, block, directives = [], None, []
    for number, line in enumerate(pathlib.Path(path).read_text(encoding="utf-8").splitlines(), 1):
        if block is not None:
            if line == "```":
                blocks.append(block)
                block = None
            else:
                block.lines.append(line)
        elif line.startswith("```"):
            block = Block(path, number, line[3:].strip(), directives)
            directives = []
        elif match := re.fullmatch(r"<!-- guide: (.*) -->", line):
            directives.append(match[1])
        elif line.strip() and directives:
            raise Unclear(f"{path}:{number}: \"guide: {directives[-1]}\" is above no block")
    if block is not None or directives:
        raise Unclear(f"{path}: the last block has no end")
    return blocks


def reason_not_run(block):
    """None: the block is run."""
    if not block.directive.startswith("not run:"):
        return None
    return block.directive[len("not run:") :].strip()


def copies_of(block):
    """The commands that stand for what the reader copies by eye."""
    commands = ""
    for words in block.copies:
        match = re.fullmatch(r"copy (\w+) from (\S+): (.+)", words)
        if not match:
            raise Unclear(f"{block.where}: copy NAME from LOG: PATTERN")
        name, log, pattern = match[1], match[2], quoted(match[3])
        commands += f"await_line {pattern} {log}.log\n"
        commands += f"{name}=$(grep -oE -e {pattern} {log}.log | tail -n 1)\nexport {name}\n"
    return commands


def reaches_of(block):
    """What comes of the block in another terminal."""
    commands = ""
    for words in block.reaches:
        match = re.fullmatch(r"reaches (\S+): (.+)", words)
        if not match:
            raise Unclear(f"{block.where}: reaches LOG: PATTERN")
        commands += f"await_line {quoted(match[2])} {match[1]}.log\n"
    return commands


def step_of(block):
    """(commands, file name): what the reader does with a block; either may be None."""
    directive = block.directive
    if reason_not_run(block) is not None:
        if not reason_not_run(block):
            raise Unclear(f"{block.where}: say why it is not run")
        return None, None
    if (name := block.argument("file")) is not None:
        if not name or name.startswith(("/", "..")):
            raise Unclear(f"{block.where}: no name of a file in the folder of the guide: {name!r}")
        return None, name
    if block.language not in COMMANDS:
        if block.language in PROGRAMS or directive:
            raise Unclear(f"{block.where}: say which file this is, or why it is not run")
        return None, None
    if directive == "given":
        names = re.findall(r"^export ([A-Za-z_]+)=", block.text, re.MULTILINE)
        if not names:
            raise Unclear(f"{block.where}: a given block has lines `export NAME=...`")
        return "".join(f': "${{{name}:?is not given}}"\n' for name in names), None
    if (words := block.argument("background")) is not None:
        match = re.fullmatch(r"(\S+) until (.+)", words)
        if not match:
            raise Unclear(f"{block.where}: background NAME until PATTERN")
        name, pattern = match[1], quoted(match[2])
        return f"(\n{block.text}) >{name}.log 2>&1 &\nawait_line {pattern} {name}.log\n", None
    if (pattern := block.argument("shows")) is not None:
        return (
            (
                f"{{\n{block.text}}} >shown.log 2>&1 || {{ cat shown.log; false; }}\n"
                f"shows {quoted(pattern)} shown.log\n"
            ),
            None,
        )
    if directive:
        raise Unclear(f"{block.where}: there is no directive {directive!r}")
    return block.text, None


def write(page, folder):
    """The script and the files of a page."""
    folder = pathlib.Path(folder)
    script = PROLOGUE
    for block in read_blocks(page):
        commands, name = step_of(block)
        if name is not None:
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, encoding="utf-8")
        if commands is not None:
            script += f"\necho '--- {block.where}'\n{copies_of(block)}{commands}{reaches_of(block)}"
        if reason_not_run(block) is not None:
            said = quoted(f"--- {block.where} is not run: {reason_not_run(block)}")
            script += f"\necho {said}\n"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.sh").write_text(script, encoding="utf-8")


def check(pages):
    for page in pages:
        run = 0
        for block in read_blocks(page):
            commands, _ = step_of(block)
            run += commands is not None
            if (reason := reason_not_run(block)) is not None:
                print(f"{block.where}: not run: {reason}")
        print(f"{page}: {run} blocks of commands are run")


def main(arguments):
    try:
        if len(arguments) > 1 and arguments[0] == "--check":
            check(arguments[1:])
        elif len(arguments) == 2:
            write(*arguments)
        else:
            sys.exit(__doc__)
    except Unclear as unclear:
        sys.exit(f"error: {unclear}")


if __name__ == "__main__":
    main(sys.argv[1:])
