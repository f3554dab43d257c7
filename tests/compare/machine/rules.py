"""Rules: the expressions that are generated, how DuckDB writes each, and the reason for a difference.

An argument is a kind's name. `~` requires a tame value, `:key` a flavour. `T` is any kind, the same one at each place,
and `N` any number. `«a|b»` is one of the alternatives, the same one in both texts. Braces hold the arguments.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """A way to build an expression of a kind."""

    kind: str
    ours: str
    arguments: tuple[str, ...] = ()
    theirs: str | None = None
    why: str = ""
    flavour: str = ""


def rule(kind: str, ours: str, *arguments: str, theirs: str | None = None, why: str = "", flavour: str = "") -> Rule:
    assert (theirs is None) == (not why), f"{ours}: what is written in another way has a reason"
    return Rule(kind, ours, arguments, theirs, why, flavour)


INT32 = "the count is 64 bits wide in DuckDB"
ZERO = "null in DuckDB, an error here and in Spark"
CUT = "DuckDB rounds to the nearest whole number, curate and Spark cut"
MIDNIGHT = "a timestamp in DuckDB"

TEXTS = [
    rule("character", "lower({0})", "character"),
    rule("character", "upper({0})", "character"),
    rule("character", "trim({0})", "character"),
    rule("character", "ltrim({0})", "character"),
    rule("character", "rtrim({0})", "character"),
    rule("character", "btrim({0})", "character", theirs="trim({0})", why="another name"),
    rule("character", "trim(BOTH 'a' FROM {0})", "character", theirs="trim({0}, 'a')", why="another form"),
    rule("character", "trim(LEADING '0' FROM {0})", "character", theirs="ltrim({0}, '0')", why="another form"),
    rule("character", "lpad({0}, «0|1|4», '«0|.»')", "character"),
    rule("character", "rpad({0}, «0|3|5», '.')", "character"),
    rule("character", "lpad({0}, 3)", "character", theirs="lpad({0}, 3, ' ')", why="DuckDB wants to know with what"),
    rule("character", "substring({0}, «1|2|3», «0|1|3»)", "character"),
    rule("character", "substr({0}, «1|3»)", "character"),
    rule("character", "substring({0} FROM 2 FOR 3)", "character"),
    rule("character", "left({0}, «0|1|3|-1»)", "character"),
    rule("character", "right({0}, «0|1|3|-1»)", "character"),
    rule("character", "({0} || {1})", "character", "character"),
    rule("character", "({0} || '-' || {1})", "character", "character:key"),
    rule("character", "concat({0}, {1})", "character", "character"),
    rule("character", "concat_ws('«-|»', {0}, {1})", "character", "character"),
    rule("character", "replace({0}, '«a|b»', '«o|»')", "character"),
    rule("character", "translate({0}, 'abc', '«xyz|x»')", "character"),
    rule("character", "reverse({0})", "character"),
    rule("character", "repeat({0}, «0|1|3»)", "character:key"),
    rule("character", "split_part({0}, '«-|,»', «1|2|-1|9»)", "character"),
    rule("character", "regexp_replace({0}, '«[a-c]|[0-9]+|^a»', '#')", "character"),
    rule("character", "regexp_replace({0}, '[a-c]', '«#|»', 'g')", "character"),
    rule(
        "character",
        "regexp_replace({0}, '^([a-z])(.*)$', '$2$1')",
        "character",
        theirs="regexp_replace({0}, '^([a-z])(.*)$', '\\2\\1')",
        why="a group is a backslash and its number",
    ),
    rule("character", "greatest({0}, {1})", "character", "character"),
    rule("character", "least({0}, {1})", "character", "character"),
    rule("character", "chr(«65|233»)"),
    rule("int", "length({0})", "character", theirs="CAST(length({0}) AS INT)", why=INT32, flavour="tame"),
    rule("int", "char_length({0})", "character", theirs="CAST(length({0}) AS INT)", why=INT32, flavour="tame"),
    rule(
        "int", "octet_length({0})", "character", theirs="CAST(strlen({0}) AS INT)", why="another name", flavour="tame"
    ),
    rule("int", "position('b' IN {0})", "character", theirs="CAST(instr({0}, 'b') AS INT)", why=INT32, flavour="tame"),
    rule("int", "instr({0}, '«a|»')", "character", theirs="CAST(instr({0}, '«a|»') AS INT)", why=INT32, flavour="tame"),
    rule("int", "ascii({0})", "character", flavour="tame"),
    # ASCII only: DuckDB counts bytes
    rule(
        "int",
        "levenshtein(substr(md5({0}), 1, 5), 'abc')",
        "character",
        theirs="CAST(levenshtein(substr(md5({0}), 1, 5), 'abc') AS INT)",
        why=INT32,
    ),
    rule(
        "long",
        "regexp_count({0}, '[a-c]')",
        "character",
        theirs="len(regexp_extract_all({0}, '[a-c]'))",
        why="no such function in DuckDB",
        flavour="tame",
    ),
    rule(
        "boolean",
        "regexp_like({0}, '«^[aA]|b|^[0-9]+$»')",
        "character",
        theirs="regexp_matches({0}, '«^[aA]|b|^[0-9]+$»')",
        why="another name",
    ),
    rule("boolean", "{0} LIKE '«a%|_bc|%-%||%»'", "character"),
    rule("boolean", "{0} NOT LIKE '«a%|%»'", "character"),
    rule(
        "boolean",
        "{0} LIKE '%\\%%'",
        "character",
        theirs="{0} LIKE '%\\%%' ESCAPE '\\'",
        why="no escape unless one is named",
    ),
    rule("boolean", "{0} ILIKE '«ab%|A%»'", "character"),
    rule("boolean", "contains({0}, '«b|»')", "character"),
    rule("boolean", "starts_with({0}, 'a')", "character"),
    rule("boolean", "ends_with({0}, 'c')", "character"),
    rule(
        "boolean",
        "{0} ~ '^[aA]'",
        "character",
        theirs="regexp_matches({0}, '^[aA]')",
        why="~ matches the whole text in DuckDB",
    ),
]

CONDITIONS = [
    rule("T", "coalesce({0}, {1})", "T", "T"),
    rule("T", "coalesce({0}, {1}, {2})", "T", "T", "T"),
    rule("T", "nullif({0}, {1})", "T", "T"),
    rule("T", "nvl({0}, {1})", "T", "T", theirs="coalesce({0}, {1})", why="another name"),
    rule(
        "T",
        "nvl2({0}, {1}, {2})",
        "character",
        "T",
        "T",
        theirs="CASE WHEN {0} IS NOT NULL THEN {1} ELSE {2} END",
        why="no such function in DuckDB",
    ),
    rule("T", "CASE WHEN {0} THEN {1} ELSE {2} END", "boolean", "T", "T"),
    rule("T", "CASE WHEN {0} THEN {1} WHEN {2} THEN {3} END", "boolean", "T", "boolean", "T"),
    rule("T", "CASE {0} WHEN 'x' THEN {1} WHEN 'y' THEN {2} ELSE {1} END", "character:key", "T", "T"),
    rule("T", "CASE {0} WHEN {1} THEN {2} END", "int~", "int~", "T"),
    rule("boolean", "{0} IN (7, 3)", "int"),
    rule("boolean", "{0} IN (7, NULL)", "int"),
    rule("boolean", "{0} NOT IN (7, NULL)", "int"),
    rule("boolean", "{0} IN ('x', 'y', {1})", "character:key", "character"),
    rule("boolean", "{0} NOT IN ({1}, {2})", "T", "T", "T"),
    rule("boolean", "({0}) BETWEEN ({1}) AND ({2})", "T", "T", "T"),
    rule("boolean", "({0} AND {1})", "boolean", "boolean"),
    rule("boolean", "({0} OR {1})", "boolean", "boolean"),
    rule("boolean", "(NOT {0})", "boolean"),
    rule("boolean", "({0}) IS «NOT |»TRUE", "boolean"),
    rule("boolean", "({0}) IS «NOT |»FALSE", "boolean"),
    rule("boolean", "{0} IS «NOT |»NULL", "T"),
    rule("boolean", "({0} IS «NOT |»DISTINCT FROM {1})", "T", "T"),
    rule(
        "boolean",
        "({0} IS «NOT |»DISTINCT FROM {1} «AND|OR» {2})",
        "T",
        "T",
        "boolean",
        theirs="(({0} IS «NOT |»DISTINCT FROM {1}) «AND|OR» {2})",
        why="so that nothing depends on what binds closer",
    ),
    rule(
        "boolean", "({0} <=> {1})", "T", "T", theirs="({0} IS NOT DISTINCT FROM {1})", why="no such operator in DuckDB"
    ),
    rule("boolean", "({0} «=|<>|<|<=|>|>=» {1})", "T", "T"),
    rule("boolean", "({0} «=|<>|<|<=|>|>=» {1})", "N", "N"),
    rule("boolean", "({0} «=|<|>» {1})", "datetime", "date"),
]

NUMBERS = [
    rule("int", "({0} «+|-» {1})", "int~", "int~"),
    rule("int", "({0} * {1})", "int~", "int~"),
    rule("long", "({0} «+|-|*» {1})", "long~", "long~"),
    rule("long", "({0} «+|-|*» {1})", "int~", "long~"),
    rule("long", "({0} «+|-|*» {1})", "long", "long"),
    rule("int", "(- {0})", "int"),
    rule("long", "(- {0})", "long"),
    rule("double", "(- {0})", "double"),
    rule(
        "int",
        "({0} / {1})",
        "int",
        "int~",
        theirs="CASE WHEN {1} = 0 AND {0} IS NOT NULL THEN stop() ELSE {0} // {1} END",
        why=f"whole numbers divide as such; by zero is {ZERO}",
    ),
    rule(
        "int",
        "({0} / nullif({1}, 0))",
        "int",
        "int~",
        theirs="({0} // nullif({1}, 0))",
        why="whole numbers divide as such",
    ),
    rule(
        "long",
        "({0} / nullif({1}, 0))",
        "long",
        "int~",
        theirs="({0} // nullif({1}, 0))",
        why="whole numbers divide as such",
    ),
    rule("int", "({0} % nullif({1}, 0))", "int", "int~", flavour="tame"),
    rule("long", "({0} % «7|-3»)", "long", flavour="tame"),
    rule(
        "int",
        "({0} % {1})",
        "int",
        "int~",
        theirs="CASE WHEN {1} = 0 AND {0} IS NOT NULL THEN stop() ELSE {0} % {1} END",
        why=ZERO,
        flavour="tame",
    ),
    rule("double", "(CAST({0} AS DOUBLE) / {1})", "int", "int~"),
    rule("double", "({0} / {1})", "double", "double"),
    rule("double", "({0} / nullif({1}, 0))", "double", "int~"),
    rule("double", "({0} «+|-|*» {1})", "double~", "double~"),
    rule("double", "({0} «+|-|*» {1})", "double", "double"),
    rule("double", "({0} «+|-|*» {1})", "double", "int"),
    rule("double", "({0} * {1})", "decimal", "double"),
    rule("int", "abs({0})", "int"),
    rule("long", "abs({0})", "long"),
    rule("double", "abs({0})", "double"),
    rule(
        "double",
        "signum({0})",
        "double",
        theirs="CASE WHEN isnan({0}) THEN {0} ELSE CAST(sign({0}) AS DOUBLE) END",
        why="NaN is 0 there",
    ),
    rule("double", "round({0})", "double"),
    rule("double", "ceil({0})", "double"),
    rule("double", "floor({0})", "double"),
    rule("double", "trunc({0})", "double", theirs="(trunc({0}) + 0.0)", why="there -0.75 becomes -0.0"),
    rule(
        "double",
        "round({0}, «1|2»)",
        "double~",
        theirs="CAST(CAST(CAST({0} AS VARCHAR) AS DECIMAL(38,«1|2»)) AS DOUBLE)",
        why="halves by the digits that are shown, as in Spark",
    ),
    rule("double", "sqrt(abs({0}))", "double"),
    rule("double", "power({0}, 2)", "double~"),
    rule(
        "double",
        "nanvl({0}, {1})",
        "double",
        "double",
        theirs="CASE WHEN isnan({0}) THEN {1} ELSE {0} END",
        why="no such function in DuckDB",
    ),
    rule("double", "CAST('«NaN|Infinity|-Infinity|-0.0»' AS DOUBLE)"),
    rule("boolean", "isnan({0})", "double"),
    rule("int", "greatest({0}, {1})", "int", "int"),
    rule("long", "least({0}, {1})", "long", "int"),
    rule("double", "greatest({0}, {1})", "double", "double"),
    rule("double", "CASE WHEN {0} THEN {1} ELSE {2} END", "boolean", "int", "double"),
    rule("double", "coalesce({0}, {1})", "decimal", "double"),
    rule("long", "ifnull({0}, {1})", "int", "long"),
    rule("long", "({0} & «3|-1»)", "long"),
    rule("long", "({0} | 8)", "long"),
    rule("long", "({0} ^ 1)", "long", theirs="xor({0}, 1)", why="^ is a power in DuckDB"),
    rule("long", "(abs({0}) << 1)", "long~"),
    rule("long", "({0} >> 1)", "long"),
    rule("decimal", "({0} «+|-» {1})", "decimal~", "decimal~"),
    rule("decimal", "({0} * {1})", "decimal~", "decimal~"),
    rule("decimal", "(- {0})", "decimal"),
    rule("decimal", "abs({0})", "decimal"),
    rule("decimal", "greatest({0}, {1})", "decimal", "decimal"),
    rule("decimal", "coalesce({0}, {1})", "decimal", "int"),
    rule("decimal", "CAST({0} AS DECIMAL(12,1))", "decimal"),
    rule("decimal", "CAST({0} AS DECIMAL(20,0))", "long"),
    rule("decimal", "CAST({0} AS DECIMAL(14,3))", "int"),
    rule(
        "decimal",
        "CAST({0} AS DECIMAL(12,2))",
        "double~",
        theirs="CAST(CAST({0} AS VARCHAR) AS DECIMAL(12,2))",
        why="halves by the digits that are shown, as in Spark",
    ),
    rule("decimal", "CAST({0} AS DECIMAL(12,2))", "character:number"),
]

CASTS = [
    rule("long", "CAST({0} AS BIGINT)", "int"),
    rule("int", "CAST({0} AS INT)", "long"),
    rule("int", "CAST({0} AS INT)", "double~", theirs="CAST(trunc({0}) AS INT)", why=CUT),
    rule("long", "CAST({0} AS BIGINT)", "double", theirs="CAST(trunc({0}) AS BIGINT)", why=CUT),
    rule("long", "CAST({0} AS BIGINT)", "decimal", theirs="CAST(trunc({0}) AS BIGINT)", why=CUT),
    rule("double", "CAST({0} AS DOUBLE)", "long"),
    rule("double", "CAST({0} AS DOUBLE)", "decimal"),
    rule("double", "CAST({0} AS DOUBLE)", "float"),
    rule("double", "CAST({0} AS DOUBLE)", "character:number"),
    rule("float", "CAST({0} AS FLOAT)", "int"),
    rule("int", "CAST({0} AS INT)", "character:number"),
    rule("long", "CAST({0} AS BIGINT)", "character:number"),
    rule(
        "int",
        "TRY_CAST({0} AS INT)",
        "character",
        theirs="CASE WHEN regexp_full_match(trim({0}), '[+-]?[0-9]+') THEN TRY_CAST({0} AS INT) END",
        why="DuckDB takes fractions and exponents too",
    ),
    rule("date", "CAST({0} AS DATE)", "character:day"),
    rule("date", "TRY_CAST({0} AS DATE)", "character"),
    rule("datetime", "CAST({0} AS TIMESTAMP)", "character:day"),
    rule("character", "CAST({0} AS STRING)", "int"),
    rule("character", "CAST({0} AS VARCHAR)", "long"),
    rule("character", "CAST({0} AS STRING)", "double~"),
    rule("character", "CAST({0} AS STRING)", "decimal"),
    rule("character", "CAST({0} AS STRING)", "boolean"),
    rule("character", "CAST({0} AS STRING)", "date"),
    rule(
        "character",
        "CAST({0} AS STRING)",
        "datetime",
        theirs="strftime({0}, '%Y-%m-%dT%H:%M:%S' || CASE WHEN millisecond({0}) % 1000 = 0 THEN '' ELSE '.%g' END)",
        why="curate writes a T, and three decimals or none",
    ),
    rule("int", "CAST({0} AS INT)", "boolean"),
    rule("boolean", "CAST({0} AS BOOLEAN)", "int"),
    rule("date", "CAST({0} AS DATE)", "datetime"),
    rule("datetime", "CAST({0} AS TIMESTAMP)", "date"),
]

DATES = [
    rule(
        "date",
        "({0} «+|-» INTERVAL '«1|30»' DAY)",
        "date",
        theirs="CAST({0} «+|-» INTERVAL '«1|30»' DAY AS DATE)",
        why=MIDNIGHT,
    ),
    rule(
        "date",
        "({0} «+|-» INTERVAL '«1|13»' MONTH)",
        "date",
        theirs="CAST({0} «+|-» INTERVAL '«1|13»' MONTH AS DATE)",
        why=MIDNIGHT,
    ),
    rule("date", "({0} + INTERVAL '1' YEAR)", "date", theirs="CAST({0} + INTERVAL '1' YEAR AS DATE)", why=MIDNIGHT),
    rule("date", "({0} «+|-» «1|400»)", "date"),
    rule("datetime", "({0} + INTERVAL '90' MINUTE)", "datetime"),
    rule("datetime", "({0} «+|-» INTERVAL '«1|5»' MONTH)", "datetime"),
    rule("datetime", "({0} - INTERVAL '1' HOUR)", "datetime"),
    rule("int", "CAST({0} - {1} AS INT)", "date", "date"),
    *[
        rule(
            "int",
            f"EXTRACT({part} FROM {{0}})",
            of,
            theirs=f"CAST(EXTRACT({part} FROM {{0}}) AS INT)",
            why=INT32,
            flavour="tame",
        )
        for part, of in [
            (part, of)
            for of in ("date", "datetime")
            for part in ("YEAR", "MONTH", "DAY", "QUARTER", "WEEK", "DOY", "DOW")
        ]
        + [("HOUR", "datetime"), ("MINUTE", "datetime"), ("SECOND", "datetime")]
    ],
    rule(
        "int",
        "date_part('«year|month|day»', {0})",
        "date",
        theirs="CAST(date_part('«year|month|day»', {0}) AS INT)",
        why=INT32,
        flavour="tame",
    ),
    rule("datetime", "date_trunc('«year|quarter|month|week|day|hour|minute|second»', {0})", "datetime"),
    rule(
        "datetime",
        "date_trunc('«year|month|week|day»', {0})",
        "date",
        theirs="CAST(date_trunc('«year|month|week|day»', {0}) AS TIMESTAMP)",
        why="a date in DuckDB",
    ),
    rule("date", "CAST(date_trunc('month', {0}) AS DATE)", "date"),
    rule(
        "date",
        "make_date(2024, 1 + abs({0} % 12), 28)",
        "int",
        theirs="make_date(2024, CAST(1 + abs({0} % 12) AS BIGINT), 28)",
        why=INT32,
    ),
    rule("date", "greatest({0}, {1})", "date", "date"),
    rule("date", "to_date({0})", "character:day", theirs="CAST({0} AS DATE)", why="another name"),
    rule(
        "datetime",
        "to_timestamp_seconds({0})",
        "long~",
        theirs="make_timestamp({0} * 1000000)",
        why="to_timestamp has a time zone in DuckDB",
    ),
]

NESTED = [
    rule("long", "CAST(cardinality({0}) AS BIGINT)", "array", theirs="len({0})", why="another name", flavour="tame"),
    rule(
        "long",
        "CAST(array_length({0}) AS BIGINT)",
        "array",
        theirs="len({0})",
        why="another name",
        flavour="tame",
    ),
    rule("character", "{0}[«1|2|9»]", "array:character"),
    rule("int", "{0}[«1|-1»]", "array:int"),
    rule(
        "boolean",
        "array_contains({0}, «'a'|'x'»)",
        "array:character",
        theirs="list_contains({0}, «'a'|'x'»)",
        why="another name",
    ),
    rule(
        "character",
        "array_join({0}, ',')",
        "array:character",
        theirs="CASE WHEN {0} IS NOT NULL THEN coalesce(array_to_string({0}, ','), '') END",
        why="null in DuckDB where all items are",
    ),
    rule(
        "character",
        "array_to_string({0}, ',')",
        "array:character",
        theirs="CASE WHEN {0} IS NOT NULL THEN coalesce(array_to_string({0}, ','), '') END",
        why="null in DuckDB where all items are",
    ),
    rule(
        "array:int",
        "array_sort({0})",
        "array:int",
        theirs="list_sort({0}, 'ASC', 'NULLS FIRST')",
        why="nulls come first here",
    ),
    rule(
        "array:int", "array_append({0}, «1|NULL»)", "array:int", theirs="list_append({0}, «1|NULL»)", why="another name"
    ),
    rule(
        "array:int",
        "array_concat({0}, {1})",
        "array:int",
        "array:int",
        theirs="CASE WHEN {0} IS NOT NULL OR {1} IS NOT NULL THEN list_concat({0}, {1}) END",
        why="two nulls are no array here, as in Spark",
    ),
    rule("array:int", "array_slice({0}, 1, 2)", "array:int", theirs="{0}[1:2]", why="another form"),
    rule(
        "array:character",
        "array_remove({0}, 'a')",
        "array:character",
        theirs="list_filter({0}, lambda e: e <> 'a' OR e IS NULL)",
        why="no such function in DuckDB",
    ),
    rule("int", "array_max({0})", "array:int", theirs="list_max({0})", why="another name"),
    rule("int", "array_min({0})", "array:int", theirs="list_min({0})", why="another name"),
    rule("array:int", "make_array({0}, {1})", "int", "int", theirs="[{0}, {1}]", why="another form"),
    rule("array:int", "[{0}, {1}]", "int", "int"),
    rule(
        "array:character",
        "array_repeat({0}, 2)",
        "character:key",
        theirs="[{0}, {0}]",
        why="no such function in DuckDB",
    ),
    rule(
        "struct",
        "named_struct('a', {0}, 'b', {1})",
        "int",
        "character",
        theirs="struct_pack(a := {0}, b := {1})",
        why="another name",
    ),
    rule("int", "{0}['a']", "struct"),
    rule("character", "{0}['b']", "struct"),
]

RULES = [*TEXTS, *CONDITIONS, *NUMBERS, *CASTS, *DATES, *NESTED]
