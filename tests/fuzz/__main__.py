"""Fuzz the codecs: every byte that comes from outside, by libFuzzer (atheris).

python -m tests.fuzz                           all targets, 60 s together
python -m tests.fuzz --each                    60 s of each
python -m tests.fuzz --frames 1000000 mllp     a million inputs of one; of a file format, a hundredth of it

It ends with 1 where an input raises what is not meant to come through, hangs, or makes memory grow; that
input is written to a file. ``--try FILE TARGET`` tries such a file again, without libFuzzer.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from contextlib import redirect_stderr
from importlib.util import find_spec
from io import StringIO
from pathlib import Path

from tests.fuzz.target import NAMES, Target, load
from tests.fuzz.weigh import weigh

OFFENDERS = Path(".fuzz")


def main(arguments: list[str]) -> int:
    """Do what the command line says."""
    options = _parser().parse_args(arguments)
    names = options.targets or list(NAMES)
    if options.try_:
        for name in names:
            load([name])[name].run(options.try_.read_bytes())
        return 0
    if options.weigh:
        taken = weigh(load(names)[names[0]], sorted(options.weigh.iterdir()), options.frames)
        print(taken)  # noqa: T201 - what was asked for
        return 0
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy is there: a fork has one thread
    if find_spec("atheris") is None:
        sys.exit("python -m tests.fuzz: atheris is not installed: it is there for Linux on x86_64 only")
    from tests.fuzz import child, runner

    with redirect_stderr(StringIO()):  # a line for each module
        targets = child.loaded(names)
    each_s = options.seconds if options.each else max(1, options.seconds * options.jobs // len(names))

    def bounds(target: Target) -> child.Bounds:
        if options.frames:
            return child.Bounds(inputs=max(1, round(options.frames * target.share)))
        return child.Bounds(seconds=each_s)

    faults = 0
    runner.say(runner.HEAD)
    with tempfile.TemporaryDirectory(prefix="ecgstream-fuzz-") as folder:
        for result in runner.run(targets, bounds, Path(folder), options.offenders.absolute(), options.jobs):
            runner.say(runner.told(result))
            faults += bool(result.fault)
    return 1 if faults else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"one of {', '.join(NAMES)}; none: all")
    parser.add_argument("--seconds", type=int, default=60, help="for how long, all together (60)")
    parser.add_argument("--each", action="store_true", help="for so long each target")
    parser.add_argument("--frames", type=int, default=0, help="so many inputs of each, however long it takes")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at once")
    parser.add_argument("--offenders", type=Path, default=OFFENDERS, help=f"a folder ({OFFENDERS})")
    parser.add_argument(
        "--weigh", type=Path, metavar="FOLDER", help="say how much memory one target takes with these inputs"
    )
    parser.add_argument("--try", type=Path, dest="try_", metavar="FILE", help="try one input")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
