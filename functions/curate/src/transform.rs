//! The SQL of the curated tables: what it may name, in which order the tables are built, and the query of each.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use contract::{Failure, FailureKind, MetaData, Table};
use datafusion::common::DataFusionError;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::resolve::resolve_table_references;
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;

use crate::failed::Failed;
use crate::syntax::{self, Said};
use crate::{depth, refusal, template};

/// The values that `${…}` in the SQL stands for.
#[derive(Clone, Debug)]
pub struct Variables {
    values: BTreeMap<&'static str, String>,
}

impl Variables {
    /// Fails for a value with characters that could end a SQL literal.
    pub fn new(dea_version: &str, snapshot_date: &str, run_timestamp: i64) -> Result<Self, Failure> {
        let values = BTreeMap::from([
            ("dea_version", dea_version.to_owned()),
            ("snapshot_date", snapshot_date.to_owned()),
            ("run_timestamp", run_timestamp.to_string()),
        ]);
        for (name, value) in &values {
            let safe = |c: char| c.is_ascii_alphanumeric() || "._:+-".contains(c);
            if value.is_empty() || !value.chars().all(safe) {
                return Err(Failure::bad_input(format!(
                    "{name} is `{value}`; letters, digits and `.`, `_`, `:`, `+`, `-` only"
                )));
            }
        }
        Ok(Self { values })
    }

    fn substitute(&self, sql: &str) -> Result<String, String> {
        template::fill(sql, &self.values)
    }
}

/// A curated table's query, parsed, with the tables that it reads.
#[derive(Clone, Debug)]
pub struct Query {
    /// The curated table.
    pub table: Table,
    /// Where its SQL is, or its description where it has none.
    pub file: PathBuf,
    /// Its SQL with all variables put in, parsed.
    pub statement: Statement,
    /// What the SQL says of its columns.
    pub said: Said,
    /// What it reads, by the name in the SQL.
    pub reads: BTreeMap<String, Source>,
}

/// What a name in the SQL of a curated table stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Everything that landed of the raw table.
    Raw,
    /// The curated table as this run builds it.
    Curated,
}

/// The queries of the curated tables that were asked for (all when empty), each after those it reads. Those whose SQL
/// is wrong, or that of a table that they read, are noted; what is wrong in that of other tables is not their business.
pub fn plan(metadata: &MetaData, asked: &[String], variables: &Variables) -> Result<Plan, Failure> {
    let asked: BTreeSet<String> = match asked {
        [] => metadata.curated.keys().cloned().collect(),
        names => {
            for name in names {
                metadata.curated_table(name).map_err(Failure::bad_input)?;
            }
            names.iter().cloned().collect()
        }
    };
    let mut visits =
        Visits { metadata, variables, seen: BTreeSet::new(), order: Vec::new(), failed: Failed::default() };
    for name in &asked {
        visits.visit(name, &mut Vec::new())?;
    }
    let mut plan = Plan { order: visits.order, asked, failed: visits.failed };
    plan.leave_out_failed();
    Ok(plan)
}

/// The query that makes a processed file of a raw one.
pub fn plan_processing(metadata: &MetaData, table: &Table, variables: &Variables) -> Result<Plan, Failure> {
    let query = query(metadata, table, variables)?;
    if query.reads.keys().any(|name| *name != table.name) {
        return Err(Failure::bad_metadata(format!(
            "{}: a processed file is made of one raw file of `{}`, and of nothing else",
            query.file.display(),
            table.name
        )));
    }
    Ok(Plan { order: vec![query], asked: BTreeSet::from([table.name.clone()]), failed: Failed::default() })
}

/// Queries in an order in which they can be made.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Each query after those that it reads.
    pub order: Vec<Query>,
    /// The tables to write; the others are only read.
    pub asked: BTreeSet<String>,
    /// Those that cannot be made, asked for or only read.
    pub failed: Failed,
}

impl Plan {
    /// Leaves out the queries of tables that have failed, and those that read them.
    pub fn leave_out_failed(&mut self) {
        self.failed.spread(self.order.iter());
        self.order.retain(|query| !self.failed.has(&query.table.name));
    }

    /// Fails where none of the tables that were asked for can be made.
    pub fn check_any_left(&self) -> Result<(), Failure> {
        match self.failed.whole() {
            Some(failure) if self.asked.iter().all(|table| self.failed.has(table)) => Err(failure),
            _ => Ok(()),
        }
    }

    /// The raw tables of which a table is made, through however many others.
    pub fn raw_tables(&self, table: &str) -> BTreeSet<&str> {
        let mut raw = BTreeSet::new();
        let mut waiting = vec![table];
        let mut seen = BTreeSet::new();
        while let Some(table) = waiting.pop() {
            if !seen.insert(table) {
                continue;
            }
            for query in self.order.iter().filter(|query| query.table.name == table) {
                for (name, source) in &query.reads {
                    match source {
                        Source::Raw => _ = raw.insert(name.as_str()),
                        Source::Curated => waiting.push(name),
                    }
                }
            }
        }
        raw
    }
}

/// Brings queries into an order in which they can be made.
struct Visits<'a> {
    metadata: &'a MetaData,
    variables: &'a Variables,
    seen: BTreeSet<String>,
    order: Vec<Query>,
    failed: Failed,
}

impl Visits<'_> {
    /// Visits a table by way of those on the path, each of which reads the next.
    fn visit(&mut self, name: &str, path: &mut Vec<String>) -> Result<(), Failure> {
        if path.iter().any(|other| other == name) {
            let circle = format!("curated tables read each other in a circle: {} → {name}", path.join(" → "));
            return self.failed.add(name, Failure::bad_metadata(circle));
        }
        let Some(table) = self.metadata.curated.get(name) else { return Ok(()) };
        if !self.seen.insert(name.to_owned()) {
            return Ok(());
        }
        let query = match query(self.metadata, table, self.variables) {
            Ok(query) => query,
            Err(failure) => return self.failed.add(name, failure),
        };
        path.push(name.to_owned());
        for (read, _) in query.reads.iter().filter(|(_, source)| **source == Source::Curated) {
            self.visit(read, path)?;
        }
        path.pop();
        self.order.push(query);
        Ok(())
    }
}

fn query(metadata: &MetaData, table: &Table, variables: &Variables) -> Result<Query, Failure> {
    // of a processed table the version is there: that of the program that processed the file
    let versioned = metadata
        .processed
        .get(&table.name)
        .is_some_and(|processed| !std::ptr::eq(processed, table) && processed.column("dea_version").is_some());
    let version = if versioned { "" } else { ", '${dea_version}' AS dea_version" };
    // a name may be a word of SQL or begin with a digit
    let copy = format!("SELECT *{version} FROM \"{}\"", table.name);
    let (sql, file) = match &table.sql {
        Some(sql) => (sql.as_str(), table.file.with_extension("sql")),
        None => (copy.as_str(), table.file.clone()),
    };
    let wrong = |message: String| Failure::bad_metadata(format!("{}: {message}", file.display()));
    let sql = variables.substitute(sql).map_err(wrong)?;
    depth::check(&sql).map_err(wrong)?;
    let parser = DFParserBuilder::new(sql.as_str()).with_recursion_limit(depth::PARSED_LEVELS).build();
    let statements = parser.and_then(|mut parser| parser.parse_statements());
    let mut statements = statements.map_err(|error| wrong(refusal::reason(&error)))?;
    let (Some(mut statement), true) = (statements.pop_front(), statements.is_empty()) else {
        return Err(wrong("expected one SELECT".into()));
    };
    if !matches!(&statement, Statement::Statement(inner) if matches!(inner.as_ref(), SqlStatement::Query(_))) {
        return Err(wrong("expected one SELECT; tables are written by the pipeline, not by SQL".into()));
    }
    let said = syntax::mend(&mut statement).map_err(wrong)?;
    let (tables, _) = resolve_table_references(&statement, true).map_err(|error| wrong(refusal::reason(&error)))?;
    let mut reads = BTreeMap::new();
    for reference in tables {
        if reference.schema().is_some() {
            return Err(wrong(format!("`{reference}`: tables are named without database or schema")));
        }
        let name = reference.table();
        // Its own name is the raw table: there is no other thing that it could mean.
        let source = if name != table.name && metadata.curated.contains_key(name) {
            Source::Curated
        } else if metadata.raw.contains_key(name) {
            Source::Raw
        } else {
            let message = metadata.raw_table(name).err().unwrap_or_default();
            return Err(wrong(message));
        };
        reads.insert(name.to_owned(), source);
    }
    Ok(Query { table: table.clone(), statement, said, reads, file })
}

/// Functions that give something else every time.
const NOT_REPRODUCIBLE: &[&str] = &["now", "current_date", "current_time", "current_timestamp", "today"];

/// The same inputs and version must give the same rows, whenever the query runs.
pub fn check_reproducible(query: &Query, plan: &LogicalPlan) -> Result<(), Failure> {
    let mut found = None;
    let seen = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| {
            expression.apply(|expression| {
                if let Expr::ScalarFunction(call) = expression
                    && (call.func.signature().volatility == Volatility::Volatile
                        || NOT_REPRODUCIBLE.contains(&call.func.name()))
                {
                    found = Some(call.func.name().to_owned());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    seen.map_err(Failure::internal)?;
    match found {
        None => Ok(()),
        Some(function) => Err(Failure::bad_metadata(format!(
            "{}: {function}() gives something else every time, and the table could not be built again; there are \
             `${{run_timestamp}}` (Unix seconds) and `${{snapshot_date}}`",
            query.file.display()
        ))),
    }
}

/// The failure of ours behind an error that came out of a query: of a source that could not be read.
pub fn own_failure(error: &DataFusionError) -> Option<Failure> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(failure) = error.downcast_ref::<Failure>() {
            return Some(failure.clone());
        }
        cause = error.source();
    }
    None
}

/// The failure behind an error that came out of the planning of a query: nothing was read yet.
pub fn planning_failure(query: &Query, error: DataFusionError) -> Failure {
    own_failure(&error).unwrap_or_else(|| {
        // what has only constants is computed already
        let kind = match error.find_root() {
            _ if refusal::is_of_sql(&error) => FailureKind::BadMetadata,
            DataFusionError::ArrowError(_, _) | DataFusionError::Execution(_) => FailureKind::BadData,
            _ => FailureKind::BadMetadata,
        };
        Failure { kind, message: format!("{}: {}", query.file.display(), refusal::reason(&error)) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables() -> Variables {
        Variables::new("v0.1.0", "2026-11-23", 1_700_000_000).unwrap()
    }

    /// Metadata of raw tables `a` and `b` and curated tables with the SQL given.
    fn metadata(curated: &[(&str, Option<&str>)]) -> MetaData {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: String, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let table = |name: &str, format: &str| {
            format!(
                r#"{{"name": "{name}", "location": "{name}", "data_format": "{format}",
                    "columns": [{{"name": "x", "type": "int", "description": ""}}]}}"#
            )
        };
        write(
            "curated/database.json".into(),
            r#"{"name": "d", "bucket": "b", "base_folder": "f", "description": "d"}"#,
        );
        for raw in ["a", "b"] {
            write(format!("raw/{raw}.json"), &table(raw, "json"));
        }
        for (name, sql) in curated {
            write(format!("curated/{name}.json"), &table(name, "parquet"));
            if let Some(sql) = sql {
                write(format!("curated/{name}.sql"), sql);
            }
        }
        MetaData::read(folder.path()).unwrap()
    }

    fn order(curated: &[(&str, Option<&str>)], asked: &[&str]) -> Result<Vec<String>, String> {
        let asked: Vec<String> = asked.iter().map(|name| (*name).to_owned()).collect();
        plan(&metadata(curated), &asked, &variables())
            .and_then(|plan| match plan.failed.whole() {
                Some(failure) => Err(failure),
                None => Ok(plan.order.into_iter().map(|query| query.table.name).collect()),
            })
            .map_err(|failure| failure.message)
    }

    #[test]
    fn tables_come_after_those_they_read() {
        let tables = [
            ("z", Some("SELECT x FROM a")),
            ("m", Some("WITH q AS (SELECT x FROM z) SELECT x FROM q, b")),
            ("a", None),
        ];
        assert_eq!(order(&tables, &[]).unwrap(), ["a", "z", "m"]);
        assert_eq!(order(&tables, &["m"]).unwrap(), ["a", "z", "m"]);
        assert_eq!(order(&tables, &["z"]).unwrap(), ["a", "z"]);
    }

    #[test]
    fn a_circle_an_unknown_table_and_what_is_no_select_are_named() {
        let circle = order(&[("p", Some("SELECT x FROM q")), ("q", Some("SELECT x FROM p"))], &[]).unwrap_err();
        assert!(circle.contains("p → q → p"), "{circle}");
        let unknown = order(&[("p", Some("SELECT x FROM aa"))], &[]).unwrap_err();
        assert!(unknown.contains("p.sql: no raw table `aa` in the metadata; did you mean `a`?"), "{unknown}");
        for (sql, part) in [
            ("DROP TABLE a", "expected one SELECT"),
            ("SELECT x FROM a; SELECT x FROM b", "expected one SELECT"),
            ("SELECT x FRM a WHERE", "p.sql"),
            ("SELECT x FROM other.a", "without database"),
            ("SELECT '${version}' FROM a", "`${version}` is unknown"),
        ] {
            let message = order(&[("p", Some(sql))], &[]).unwrap_err();
            assert!(message.contains(part), "{sql}: {message}");
        }
        assert!(order(&[("a", None)], &["b"]).unwrap_err().contains("no curated table `b`"));
    }

    #[test]
    fn what_is_wrong_with_other_tables_does_not_matter() {
        let tables = [
            ("a", None),
            ("broken", Some("SELECT x FRM a WHERE")),
            ("reads_broken", Some("SELECT x FROM broken")),
            ("unknown", Some("SELECT x\nFROM nowhere")),
        ];
        assert_eq!(order(&tables, &["a"]).unwrap(), ["a"]);
        let message = order(&tables, &["reads_broken"]).unwrap_err();
        assert!(message.contains("broken.sql: line 1, column ") && !message.contains("nowhere"), "{message}");
        let message = order(&tables, &[]).unwrap_err();
        assert!(message.starts_with("2 problems in the SQL\n  "), "{message}");
        assert!(
            message.contains("broken.sql: ") && message.contains("unknown.sql: no raw table `nowhere`"),
            "{message}"
        );
        let plan = plan(&metadata(&tables), &[], &variables()).unwrap();
        let order: Vec<_> = plan.order.iter().map(|query| query.table.name.as_str()).collect();
        assert_eq!(order, ["a"]);
        let told = plan.failed.told(|_| true);
        let told: Vec<_> = told.iter().map(|failed| (failed.table.as_str(), failed.error.as_str())).collect();
        let wrong = "BadMetadata";
        assert_eq!(told, [("broken", wrong), ("reads_broken", wrong), ("unknown", wrong)]);
    }

    #[test]
    fn who_reads_a_circle_is_out_and_the_others_are_not() {
        let tables = [
            ("a", None),
            ("p", Some("SELECT x FROM q")),
            ("q", Some("SELECT x FROM r")),
            ("r", Some("SELECT x FROM p")),
            ("reads_q", Some("SELECT x FROM q")),
            ("reads_a", Some("SELECT x FROM a")),
        ];
        let plan = plan(&metadata(&tables), &[], &variables()).unwrap();
        let order: Vec<_> = plan.order.iter().map(|query| query.table.name.as_str()).collect();
        assert_eq!(order, ["a", "reads_a"]);
        let told: Vec<_> = plan.failed.told(|_| true).into_iter().map(|failed| failed.message).collect();
        assert_eq!(told[0], "curated tables read each other in a circle: p → q → r → p");
        assert_eq!(told[1..], ["r", "p", "q"].map(|read| format!("reads `{read}`, which failed")));
        // nobody has asked for it: it is said beside who reads it
        let told = plan.failed.told(|table| table == "reads_q");
        assert!(told[0].message.starts_with("reads `q`, which failed: curated tables read each other in a circle"));
    }

    #[test]
    fn a_copy_of_a_table_of_any_name() {
        let metadata = metadata(&[("a", None)]);
        for name in ["2024_orders", "table", "lateral", "unnest", "select"] {
            let mut metadata = metadata.clone();
            let table = Table { name: name.into(), ..metadata.curated["a"].clone() };
            metadata.raw.insert(name.into(), Table { name: name.into(), ..metadata.raw["a"].clone() });
            metadata.curated = BTreeMap::from([(name.to_owned(), table)]);
            let plan = plan(&metadata, &[], &variables()).unwrap();
            assert_eq!(plan.order[0].reads, BTreeMap::from([(name.to_owned(), Source::Raw)]), "{name}");
        }
    }

    #[test]
    fn a_value_that_could_leave_its_literal_is_refused() {
        assert!(Variables::new("v1'; DROP TABLE a --", "2026-11-23", 0).is_err());
        let sql = variables().substitute("SELECT '${dea_version}', ${run_timestamp}").unwrap();
        assert_eq!(sql, "SELECT 'v0.1.0', 1700000000");
        // groups of regular expressions
        let sql = variables().substitute("SELECT '${1}g${12}', '${run_timestamp}' -- ${").unwrap();
        assert_eq!(sql, "SELECT '${1}g${12}', '1700000000' -- ${");
    }
}
