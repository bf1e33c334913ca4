"""Mutants of the CUDA kernels, by rule: one change at one place of kernels/*_cuda.cu, kernels/cuda/*.cu and *.hpp.

    barrier   a __syncthreads or __syncwarp is left out
    guard     a comparison `<` of the device's code becomes `<=`
    shuffle   the distance or source lane of a shuffle, or the mask of a shuffle, vote or reduction, is altered
    sum       a `+=` becomes `=`

No guard of a tail is a `<` that
    counts    in literal steps to a constant (a literal or what CONSTANT takes for one), or from i to i + one: there is
              no tail
    chooses   the smaller or the larger, `a < b ? a : b`, or `a < b ? 0 : a - b`: where both are equal, so is the result
    admits    a piece of several elements, which are then compared one by one: the condition of an `if` in whose body
              stands another guard or a `<=`, or of a loop in strides (`+=`) in whose body, or in a function called
              there, stands one. A loop that compares a thread's own index as it is (from `= threadIdx.x;`,
              `+ lane();`, `= grid.thread();` on) takes elements one by one: its condition is a guard always.
"""
import re
from typing import NamedTuple

CONSTANT = r"(?:at\.kCount|rows|k[A-Z]\w*|\d+)"
COUNTS = re.compile(rf" < (?:\w+ \+ )?{CONSTANT}; (?:\+\+|\w+ [+*]= \d)")
CHOOSES = re.compile(r"([\w.]+(?: \+ [\w.]+)*) (<)(?= ([\w.]+) \? (?:0 : \1 - \3|\1 : \3|\3 : \1)\b)")
HEAD = re.compile(r"\b(for|if) \(")
FUNCTION = re.compile(r"__device__ [^;{}()]*\b(\w+)\([^;{}]*\)(?: const)?(?:\s*: [^{};]*)?\s*\{")
WARP = re.compile(r"__(shfl\w*|ballot|any|all|reduce_\w+)_sync\(")


class Mutant(NamedTuple):
    path: str
    rule: str
    line: int  # from 1
    becomes: str  # the line, of a barrier with the one before
    text: str  # the file

    def __str__(self):
        return f"{self.path}: {self.rule}: {self.becomes}"


def uncommented(text):
    """With spaces for comments: places stay."""
    return re.sub(r"//[^\n]*", lambda found: " " * len(found[0]), text)


def closing(code, opening):
    """Where the bracket ends that begins at `opening`."""
    depth = 0
    for at in range(opening, len(code)):
        depth += code[at] in "({["
        depth -= code[at] in ")}]"
        if depth == 0:
            return at
    raise ValueError("brackets do not match")


def body_behind(code, at):
    """Begin and end of the statement or block there."""
    begin = at + re.match(r"\s*", code[at:]).end()
    if code[begin] == "{":
        return begin, closing(code, begin)
    end = begin
    while code[end] != ";":
        end = closing(code, end) + 1 if code[end] in "({[" else end + 1
    return begin, end


def calls(code):
    return set(re.findall(r"\b(\w+)(?:<[\w, ]*>)?\(", code))


class Guards:
    """Which `<` guard a tail, given the code of all files."""

    def __init__(self, codes):
        self.guarded = set()  # functions that compare elements, or call one that does
        bodies = [(found[1], code[found.end(): closing(code, found.end() - 1)])
                  for code in codes for found in FUNCTION.finditer(code)]
        size = -1
        while size != len(self.guarded):
            size = len(self.guarded)
            self.guarded |= {name for name, body in bodies if self.compares(body)}

    def compares(self, body):
        return compares(body) or bool(calls(body) & self.guarded)

    def admits(self, code, at):
        for found in reversed(list(HEAD.finditer(code, 0, at))):
            end = closing(code, found.end() - 1)
            if end < at:
                continue
            if found[1] == "for":
                first, condition, step = code[found.end(): end].split(";", 2)
                bare = re.match(r" \w+ <", condition) is not None
                if "+=" not in step or (bare and re.search(r"[=+] (?:grid\.thread\(\)|threadIdx\.x|lane\(\))$", first)):
                    return False
            begin, end = body_behind(code, end + 1)
            return self.compares(code[begin:end]) if found[1] == "for" else compares(code[begin:end])
        return False

    def places(self, code):
        device = [(found.end(), closing(code, found.end() - 1)) for found in FUNCTION.finditer(code)]
        return [at for at in comparisons(code)
                if any(begin < at < end for begin, end in device) and not self.admits(code, at)]


def comparisons(code):
    """All `<` but those that count or choose."""
    chosen = {found.start(2) for found in CHOOSES.finditer(code)}
    return [found.start() for found in re.finditer(r"(?<= )<(?= )", code)
            if found.start() not in chosen and not COUNTS.match(code, found.start() - 1)]


def compares(body):
    return bool(comparisons(body)) or " <= " in body


def arguments(code, opening):
    """Begin and end of each, in brackets that begin at `opening`."""
    spans, begin, at = [], opening + 1, opening + 1
    while True:
        if code[at] in ",)":
            spans.append((begin + (code[begin] == " "), at))
            if code[at] == ")":
                return spans
            begin = at + 1
        at = closing(code, at) + 1 if code[at] in "({[" else at + 1


def changes(code, guards):
    """(rule, begin, end, replacement) of every place."""
    for found in re.finditer(r"__sync(?:threads|warp)\([^;]*\);", code):
        yield "barrier", found.start(), found.end(), ";"
    for at in guards.places(code):
        yield "guard", at, at + 1, "<="
    for found in WARP.finditer(code):
        spans = arguments(code, found.end() - 1)
        yield "shuffle", *spans[0], "0x0000ffffu"
        if found[1].startswith("shfl"):
            begin, end = spans[2]
            yield "shuffle", begin, end, f"({code[begin:end]}) + 1"
    for found in re.finditer(r"\+=", code):
        yield "sum", found.start(), found.end(), "="


def mutants(root):
    """Every one, file by file."""
    paths = [path for pattern in ("kernels/*_cuda.cu", "kernels/cuda/*.cu", "kernels/cuda/*.hpp")
             for path in sorted(root.glob(pattern))]
    texts = [path.read_text() for path in paths]
    guards = Guards([uncommented(text) for text in texts])
    for path, text in zip(paths, texts):
        for rule, begin, end, change in sorted(changes(uncommented(text), guards), key=lambda one: one[1]):
            mutated = text[:begin] + change + text[end:]
            line = text.count("\n", 0, begin)
            told = mutated.splitlines()[line - (rule == "barrier"): line + 1]
            yield Mutant(str(path.relative_to(root)), rule, line + 1, " ".join(map(str.strip, told)), mutated)
