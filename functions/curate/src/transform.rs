//! The SQL of the curated tables: the tables that it may name, the order in which the tables are built, and the query
//! of each.

use std::collections::{BTreeMap, BTreeSet};

use contract::{Failure, FailureKind, MetaData, Table};
use datafusion::common::DataFusionError;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::resolve::resolve_table_references;
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;

use crate::depth;
use crate::failed::Failed;
use crate::query::{Query, ReadTable};
use crate::refusal;
use crate::syntax;
use crate::template;

/// The values of `${…}` in the SQL.
#[derive(Clone, Debug)]
pub struct Variables {
    values: BTreeMap<&'static str, String>,
}

impl Variables {
    /// Returns the variables of a run. `run_timestamp` is in Unix seconds.
    ///
    /// # Errors
    /// Fails if a value is empty or has characters that could end a SQL literal.
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

/// Plans the queries of the requested curated tables (all if `asked` is empty), each after those that it reads. A table
/// whose SQL is wrong is recorded as failed, and so is a table that reads it. The SQL of other tables does not matter.
///
/// # Errors
/// Fails if a requested table is not described.
pub fn plan(metadata: &MetaData, asked: &[String], variables: &Variables) -> Result<BuildPlan, Failure> {
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
    let mut plan = BuildPlan { order: visits.order, asked, failed: visits.failed };
    plan.leave_out_failed();
    Ok(plan)
}

/// Plans the query that makes a processed file from a raw one.
///
/// # Errors
/// Fails if the SQL is wrong, or if it reads another table.
pub fn plan_processing(metadata: &MetaData, table: &Table, variables: &Variables) -> Result<BuildPlan, Failure> {
    let query = query(metadata, table, variables)?;
    if query.reads.keys().any(|name| *name != table.name) {
        return Err(Failure::bad_metadata(format!(
            "{}: a processed file is made of one raw file of `{}`, and of nothing else",
            query.file.display(),
            table.name
        )));
    }
    Ok(BuildPlan { order: vec![query], asked: BTreeSet::from([table.name.clone()]), failed: Failed::default() })
}

/// Queries in an order in which they can be run.
#[derive(Clone, Debug)]
pub struct BuildPlan {
    /// Each query after those that it reads.
    pub order: Vec<Query>,
    /// The tables to write; the others are only read.
    pub asked: BTreeSet<String>,
    /// Tables that cannot be built, whether requested or only read.
    pub failed: Failed,
}

impl BuildPlan {
    /// Removes the queries of tables that have failed, and those that read them.
    pub fn leave_out_failed(&mut self) {
        self.failed.spread(self.order.iter());
        self.order.retain(|query| !self.failed.has(&query.table.name));
    }

    /// Checks that at least one of the requested tables can be built.
    ///
    /// # Errors
    /// Fails with all failures in one if no requested table can be built.
    pub fn check_any_left(&self) -> Result<(), Failure> {
        match self.failed.whole() {
            Some(failure) if self.asked.iter().all(|table| self.failed.has(table)) => Err(failure),
            _ => Ok(()),
        }
    }

    /// Returns the raw tables that a table reads, directly or through others.
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
                        ReadTable::Raw => _ = raw.insert(name.as_str()),
                        ReadTable::Curated => waiting.push(name),
                    }
                }
            }
        }
        raw
    }
}

/// Sorts queries into an order in which they can be run.
struct Visits<'a> {
    metadata: &'a MetaData,
    variables: &'a Variables,
    seen: BTreeSet<String>,
    order: Vec<Query>,
    failed: Failed,
}

impl Visits<'_> {
    /// Visits a table. Each table on the path reads the next one.
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
        for (read, _) in query.reads.iter().filter(|(_, source)| **source == ReadTable::Curated) {
            self.visit(read, path)?;
        }
        path.pop();
        self.order.push(query);
        Ok(())
    }
}

fn query(metadata: &MetaData, table: &Table, variables: &Variables) -> Result<Query, Failure> {
    // a processed table already has a version: that of the program that processed the file
    let versioned = metadata
        .processed
        .get(&table.name)
        .is_some_and(|processed| !std::ptr::eq(processed, table) && processed.column("dea_version").is_some());
    let version = if versioned { "" } else { ", '${dea_version}' AS dea_version" };
    // quoted, because a name may be a word of SQL or begin with a digit
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
        // its own name means the raw table, because a table cannot read itself
        let source = if name != table.name && metadata.curated.contains_key(name) {
            ReadTable::Curated
        } else if metadata.raw.contains_key(name) {
            ReadTable::Raw
        } else {
            let message = metadata.raw_table(name).err().unwrap_or_default();
            return Err(wrong(message));
        };
        reads.insert(name.to_owned(), source);
    }
    Ok(Query { table: table.clone(), statement, said, reads, file })
}

/// Functions whose value differs from run to run.
const NOT_REPRODUCIBLE: &[&str] = &["now", "current_date", "current_time", "current_timestamp", "today"];

/// Refuses functions whose value differs from run to run. The same inputs and version must give the same rows.
///
/// # Errors
/// Fails with the name of such a function.
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

/// Returns our own failure behind an error of a query, such as that of a source that could not be read.
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

/// Returns the failure behind an error of planning a query, before anything is read.
pub fn planning_failure(query: &Query, error: DataFusionError) -> Failure {
    own_failure(&error).unwrap_or_else(|| {
        // constant expressions are already computed, so a value in the SQL may be at fault
        let kind = match error.find_root() {
            _ if refusal::is_of_sql(&error) => FailureKind::BadMetadata,
            DataFusionError::ArrowError(_, _) | DataFusionError::Execution(_) => FailureKind::BadData,
            _ => FailureKind::BadMetadata,
        };
        Failure { kind, message: format!("{}: {}", query.file.display(), refusal::reason(&error)) }
    })
}

#[cfg(test)]
mod tests;
