#!/usr/bin/python3
"""What extract.py makes of a page, and which pages it refuses."""
import pathlib
import subprocess
import sys
import tempfile

EXTRACT = pathlib.Path(__file__).resolve().parent / "extract.py"


def extract(page, folder):
    path = pathlib.Path(folder) / "page.md"
    path.write_text(page, encoding="utf-8")
    return subprocess.run(
        [sys.executable, EXTRACT, path, f"{folder}/out"],
        capture_output=True,
        text=True,
        check=False,
    )


def run(page, **environment):
    """The outcome of the commands of a page."""
    with tempfile.TemporaryDirectory() as folder:
        made = extract(page, folder)
        assert made.returncode == 0, made.stderr
        return subprocess.run(
            ["/bin/bash", "./run.sh"],
            cwd=f"{folder}/out",
            capture_output=True,
            text=True,
            env={"PATH": "/usr/bin:/bin", **environment},
            check=False,
        )


def refused(page):
    with tempfile.TemporaryDirectory() as folder:
        made = extract(page, folder)
        return made.stderr if made.returncode != 0 else ""


def main():
    # Commands share one shell, in their order, and files are there.
    done = run(
        """
<!-- guide: file greet.py -->
```python
print("hello from a file")
```
```sh
greeting=$(python3 greet.py)
```
Text.
```
no commands
```
```sh
echo "$greeting"
```
"""
    )
    assert done.returncode == 0 and "hello from a file" in done.stdout, done

    # A command that fails ends the guide, in the middle of a block too.
    done = run("```sh\nfalse\necho never\n```\n")
    assert done.returncode != 0 and "never" not in done.stdout, done
    done = run("```sh\nfalse | true\necho never\n```\n")
    assert done.returncode != 0 and "never" not in done.stdout, done

    # What is given must be there.
    given = "<!-- guide: given -->\n```sh\nexport TOKEN=...\n```\n"
    assert run(given).returncode != 0
    assert run(given, TOKEN="abc").returncode == 0

    # What goes on is waited for, and what shows something must show it.
    listens = (
        "<!-- guide: background app until ^token [0-9]+ -->\n```sh\necho token 7\nsleep 0\n```\n"
    )
    assert run(listens + "```sh\ngrep -q token app.log\n```\n").returncode == 0
    shows = (
        "<!-- guide: shows ^APP_ACKED -->\n```sh\nx=1\necho {}\n```\n```sh\ntest \"$x\" = 1\n```\n"
    )
    assert run(shows.format("APP_ACKED now")).returncode == 0
    done = run(shows.format("STORED"))
    assert done.returncode != 0 and "STORED" in done.stdout, done
    failing = "<!-- guide: shows x -->\n```sh\necho x\nfalse\n```\n"
    assert run(failing).returncode != 0

    # What the reader copies from another terminal.
    copy = "<!-- guide: copy TOKEN from app: [0-9]+ -->\n```sh\ntest \"$TOKEN\" = 7\n```\n"
    assert run(listens + copy).returncode == 0

    # What comes of it there.
    reaches = "<!-- guide: reaches app: ^token 8$ -->\n```sh\necho token 8 >>app.log\n```\n"
    assert run(listens + reaches).returncode == 0

    # What is not run says why.
    done = run("<!-- guide: not run: it's a $PHONE's -->\n```sh\nfalse\n```\n")
    assert done.returncode == 0 and "not run: it's a $PHONE's" in done.stdout, done

    # Pages that a test can't follow.
    assert "say why" in refused("<!-- guide: not run: -->\n```sh\nfalse\n```\n")
    assert "say which file" in refused("```python\nprint()\n```\n")
    assert "no directive" in refused("<!-- guide: sometimes -->\n```sh\ntrue\n```\n")
    assert "above no block" in refused("<!-- guide: given -->\nText.\n")
    assert "no name of a file" in refused("<!-- guide: file /etc/passwd -->\n```python\n```\n")
    assert "until PATTERN" in refused("<!-- guide: background app -->\n```sh\ntrue\n```\n")
    assert "only one" in refused("<!-- guide: given -->\n<!-- guide: shows x -->\n```sh\n```\n")
    assert "reaches LOG" in refused("<!-- guide: reaches app -->\n```sh\ntrue\n```\n")
    assert "copy NAME" in refused("<!-- guide: copy TOKEN -->\n```sh\ntrue\n```\n")
    assert "has no end" in refused("```sh\ntrue\n")
    print("OK")


if __name__ == "__main__":
    main()
