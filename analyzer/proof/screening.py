"""Static screening: what can be refused by reading a candidate, before any of it runs.

Screening is not the defence, the sandbox and the comparisons are. It gives a plain reason at once for code that reaches
for what no snippet needs: the machine, the network, Spark's internals, the clock, other modules' insides.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator

from analyzer.advisors.answer import MAX_CODE, kinds_for
from snipbench.domain.order import Kind, Snippet

MODULES = frozenset(
    {
        *("__future__", "abc", "array", "base64", "bisect", "calendar", "cmath", "collections", "copy", "dataclasses"),
        *("datetime", "decimal", "difflib", "enum", "fractions", "functools", "hashlib", "heapq", "html", "itertools"),
        *("json", "math", "numbers", "numpy", "operator", "pandas", "pyarrow", "pyspark", "re", "statistics"),
        *("string", "struct", "textwrap", "typing", "unicodedata", "zlib", "zoneinfo", "binascii", "random", "uuid"),
    }
)
"""Modules that any candidate may import. What the original imports it may import too, unless it is in ``REFUSED``."""

REFUSED = frozenset(
    {
        *("os", "sys", "subprocess", "socket", "ctypes", "builtins", "time", "gc", "inspect", "importlib", "pickle"),
        *("marshal", "shutil", "pathlib", "tempfile", "io", "threading", "multiprocessing", "signal", "mmap", "atexit"),
        *("asyncio", "http", "urllib", "requests", "py4j", "cloudpickle", "types", "linecache", "sysconfig", "site"),
        *("executor", "monitor", "analyzer", "orchestrator", "snipbench"),
    }
)
"""Modules that no candidate may import, whatever the original does."""

LEADING_OUT = REFUSED - {"types", "site", "http", "inspect", "signal"} | {"codecs"}
"""Names under which a module of the allowed ones holds one of those: ``uuid.os``, ``json.codecs``."""

HOMONYMS = frozenset({("datetime", "time")})
"""What has such a name and is something else."""

REACHING = frozenset({"attrgetter", "methodcaller"})
"""Functions that take the name of an attribute as a text."""

SUBMODULES = {
    "pyspark": ("pyspark.sql", "pyspark.sql.functions", "pyspark.sql.types", "pyspark.sql.window"),
    "pyarrow": ("pyarrow", "pyarrow.compute", "pyarrow.types"),
    "numpy": ("numpy", "numpy.linalg"),
    "pandas": ("pandas", "pandas.api.types"),
}
"""Of these packages only these modules: others read files, open connections, or are internals."""

NAMES = frozenset(
    {
        *("exec", "eval", "compile", "open", "input", "breakpoint", "globals", "locals", "vars", "setattr", "delattr"),
        *("__import__", "__builtins__", "__loader__", "__spec__", "SparkContext", "help", "memoryview"),
    }
)
ATTRIBUTES = frozenset(
    {
        *("read", "readStream", "catalog", "conf", "sparkContext", "context", "addArtifact", "addArtifacts"),
        *("ctypes", "ctypeslib", "f_globals", "f_locals", "gi_frame", "tb_frame", "f_back"),
    }
)
"""Attributes that lead to files, settings, the JVM, or another's frame."""

CALLS = frozenset(
    {
        *("cache", "persist", "checkpoint", "localCheckpoint", "cacheTable", "clearCache", "stop", "newSession"),
        *("createTempView", "createOrReplaceTempView", "createGlobalTempView", "createOrReplaceGlobalTempView"),
        *("saveAsTable", "writeTo", "insertInto", "registerTempTable", "getOrCreate", "java_method", "reflect"),
        *("try_reflect", "system", "popen", "to_csv", "to_parquet", "to_pickle", "to_sql", "to_feather", "to_hdf"),
        *("tofile", "fromfile", "memmap", "loadtxt", "savetxt", "genfromtxt", "memory_map", "read_csv", "read_sql"),
        *("read_parquet", "read_pickle", "read_table", "read_json", "read_html", "read_feather", "read_orc"),
        *("register_series_accessor", "register_dataframe_accessor", "register_index_accessor", "set_option"),
        *("setcontext", "setstate"),
    }
)
"""Methods that leave something behind in the session, or read and write files."""

KEEPING = frozenset({"append", "extend", "update", "setdefault", "clear", "register", "appendleft"})
"""Methods that change the object they are called on."""

BASES = frozenset({"object", "NamedTuple", "Enum", "IntEnum", "StrEnum", "ABC", "Protocol", "TypedDict"})
DUNDERS = frozenset({"__init__", "__name__", "__doc__", "__len__", "__post_init__"})
_REFLECTION = re.compile(r"(?i)\b(java_method|reflect|try_reflect)\s*\(")
REFLECTS = "calls a Java method (java_method, reflect)"
_NO_CODE = re.compile(r"(?s)/\*.*?\*/|--[^\n]*|`")
"""Of SQL: what may stand between a function's name and its parenthesis, and around the name."""
BY_NAME = frozenset({"call_function", "call_udf"})
"""Functions that take the name of a function of SQL."""
_ROW_FIELD = re.compile(r"_\d+")


def refusals(original: Snippet, candidate: Snippet) -> tuple[str, ...]:
    """Why the candidate is not run, in plain words and without repetition; empty if nothing speaks against it."""
    if candidate.kind not in kinds_for(original.kind):
        return (f"kind {candidate.kind.value} cannot replace {original.kind.value}",)
    if not candidate.code.strip():
        return ("there is no code",)
    if len(candidate.code) > MAX_CODE:
        return (f"the code is longer than {MAX_CODE} characters",)
    found = _sql(candidate.code) if candidate.kind is Kind.SQL else _python(original, candidate)
    return tuple(dict.fromkeys(found))


def _sql(code: str) -> Iterator[str]:
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    if _reflects(code):
        yield REFLECTS
    try:
        tree = sqlglot.parse_one(code.strip().rstrip(";"), dialect="spark")
    except (SqlglotError, RecursionError):
        return  # says nothing about Spark, which will parse it itself
    for table in tree.find_all(exp.Table):
        if table.db or table.catalog:
            yield f"reads {table.sql(dialect='spark')}, which is no table of the experiment"


def _python(original: Snippet, candidate: Snippet) -> Iterator[str]:
    tree = _parsed(candidate.code)
    if isinstance(tree, str):
        yield f"Python cannot read it: {tree}"
        return
    if not any(isinstance(node, ast.FunctionDef) and node.name == candidate.entry for node in tree.body):
        yield f"it defines no function {candidate.entry!r}"
    before = None if original.kind is Kind.SQL else _parsed(original.code)
    familiar = frozenset() if before is None or isinstance(before, str) else frozenset(_roots(before))
    modules = dict(_bound(tree))
    shared = _shared(tree, frozenset(modules) | _sessions(tree, candidate))
    whole = frozenset(
        alias.asname or alias.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    )
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        yield from _imports(node, familiar)
        yield from _uses(node)
        yield from _ways_out(node, modules, called)
        yield from _changes(node, shared, whole)


def _parsed(code: str) -> ast.Module | str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return str(error)


def _roots(tree: ast.Module) -> Iterator[str]:
    for _, module in _bound(tree):
        yield module.split(".")[0]


def _bound(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """``(name in the code, module)`` of everything imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.asname or alias.name.split(".")[0], alias.name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, node.module or ""


def _imports(node: ast.AST, familiar: frozenset[str]) -> Iterator[str]:
    names: list[str] = []
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        if node.level:
            yield "imports relatively, but a snippet is a module of its own"
            return
        module = node.module or ""
        # `from pyspark.sql import functions` names a module, `from pyspark.sql import Row` does not.
        deeper = {known for group in SUBMODULES.values() for known in group}
        names = [f"{module}.{alias.name}" if f"{module}.{alias.name}" in deeper else module for alias in node.names]
        for alias in node.names:
            leads_out = alias.name in LEADING_OUT and (module, alias.name) not in HOMONYMS
            if alias.name in NAMES or alias.name in CALLS or alias.name == "*" or leads_out:
                yield f"imports {alias.name} from {module}, which no snippet needs"
    for name in names:
        root = name.split(".")[0]
        allowed = (root in MODULES or root in familiar) and root not in REFUSED
        if not allowed or (root in SUBMODULES and name not in (*SUBMODULES[root], root)):
            yield f"imports {name}, which has no business in a snippet"


def _uses(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name) and node.id in NAMES:
        yield f"uses {node.id}, which has no business in a snippet"
    elif isinstance(node, ast.Attribute):
        yield from _attribute(node.attr)
    elif isinstance(node, ast.Call):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
        if called in CALLS:
            yield f"calls {called}(), which leaves something behind or reaches for files"
        if called == "getattr" or called in REACHING:
            named = node.args[1:2] if called == "getattr" else node.args[:1] if called == "methodcaller" else node.args
            yield from _named_attributes(called, named)
        if called in BY_NAME:
            yield from _named_function(called, node.args[:1])
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _reflects(node.value):
        yield REFLECTS
    elif isinstance(node, ast.ClassDef):
        for base in node.bases:
            if getattr(base, "id", getattr(base, "attr", None)) not in BASES:
                yield f"class {node.name} derives from {ast.unparse(base)}: what it answers would be no plain value"
        if node.keywords:
            yield f"class {node.name} has a metaclass"


def _named_attributes(called: str, names: list[ast.expr]) -> Iterator[str]:
    """Attributes whose names are handed over as texts."""
    texts = [name.value for name in names if isinstance(name, ast.Constant) and isinstance(name.value, str)]
    if not names or len(texts) < len(names):
        yield f"calls {called}() with a name that is not written out"
    for part in (part for text in texts for part in text.split(".")):
        yield from _attribute(part)
        if part in CALLS or part in NAMES:
            yield f"reaches for .{part} by {called}()"


def _named_function(called: str, names: list[ast.expr]) -> Iterator[str]:
    texts = [name.value for name in names if isinstance(name, ast.Constant) and isinstance(name.value, str)]
    if not texts:
        yield f"calls {called}() with a name that is not written out"
    elif _reflects(f"{texts[0]}("):
        yield REFLECTS


def _reflects(sql: str) -> bool:
    return _REFLECTION.search(_NO_CODE.sub("", sql)) is not None


def _attribute(name: str) -> Iterator[str]:
    private = name.startswith("_") and name not in DUNDERS and not _ROW_FIELD.fullmatch(name)
    if private or name in ATTRIBUTES:
        yield f"reaches for .{name}, which is none of a snippet's business"


def _ways_out(node: ast.AST, modules: dict[str, str], called: set[int]) -> Iterator[str]:
    """A module within an allowed one, and functions that take an attribute's name, handed on under another name."""
    if isinstance(node, ast.Attribute) and node.attr in LEADING_OUT:
        module = modules.get(_root(node) or "")
        if module is not None and (module, node.attr) not in HOMONYMS:
            yield f"reaches for {ast.unparse(node)}, a way out of {module}"
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", None)
    if name in REACHING and id(node) not in called:
        yield f"hands on {name}, which reaches for whatever it is told"
    if isinstance(node, ast.ImportFrom):
        for alias in node.names:
            if alias.name in REACHING and alias.asname is not None:
                yield f"hands on {alias.name}, which reaches for whatever it is told"


def _sessions(tree: ast.Module, candidate: Snippet) -> frozenset[str]:
    """The name under which the entry of a frame's snippet gets the session."""
    if candidate.kind is not Kind.DATAFRAME:
        return frozenset()
    entries = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == candidate.entry]
    return frozenset(entry.args.args[0].arg for entry in entries if entry.args.args)


def _shared(tree: ast.Module, names: frozenset[str]) -> frozenset[str]:
    """Names of what outlives the snippet: these, and other names for them or for what they hold."""
    found = set(names)
    assigned = [
        (target.id, root)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and (root := _holder(node.value)) is not None
    ]
    while fresh := {name for name, root in assigned if root in found} - found:
        found |= fresh
    return frozenset(found)


def _changes(node: ast.AST, shared: frozenset[str], modules: frozenset[str]) -> Iterator[str]:
    """Changes of what an imported module or the session holds: a patched clock, an answer kept from run to run."""
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign | ast.Delete):
        targets = node.targets
    elif isinstance(node, ast.AugAssign | ast.AnnAssign | ast.For | ast.NamedExpr):
        targets = [node.target]
    for target in targets:
        for part in ast.walk(target):
            if isinstance(part, ast.Attribute | ast.Subscript) and (name := _root(part)) in shared:
                yield f"changes {ast.unparse(part)}: the insides of {name}, which outlives a run"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in KEEPING:
        kept = node.func.value
        # `numpy.append` is a function of a module; what a module holds must stay as it is.
        if (name := _holder(kept)) in shared and not (isinstance(kept, ast.Name) and name in modules):
            yield f"changes {ast.unparse(kept)}: the insides of {name}, which outlives a run"


def _root(node: ast.expr) -> str | None:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def _holder(node: ast.expr) -> str | None:
    """The name behind ``a``, ``a.b`` or ``a[b]``; of what a call returned there is none."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None
