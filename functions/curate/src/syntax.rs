//! Corrects the syntax tree of a query where the parser misreads the text. Operators bind as they do in Spark. A select
//! that depends on the position of columns is refused if engines order these columns differently.

mod like;
mod unplanned;

use std::mem::replace;
use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, GroupByExpr, Ident, JoinConstraint, JoinOperator, OrderBy, OrderByKind, Query, Select,
    SelectItem, SelectItemQualifiedWildcardKind, SetExpr, SetOperator, SetQuantifier, Statement as SqlStatement,
    TableAlias, TableFactor, UnaryOperator, Value, VisitMut, VisitorMut,
};

use crate::dialect;
use crate::query::Said;

/// Corrects a statement and returns how it names columns. The error says what is refused, and what to write instead.
pub(crate) fn mend(statement: &mut Statement) -> Result<Said, String> {
    let mut reader = Reader::default();
    if let Statement::Statement(statement) = statement
        && let ControlFlow::Break(message) = visit(statement, &mut reader)
    {
        return Err(message);
    }
    Ok(reader.said)
}

fn visit(statement: &mut SqlStatement, reader: &mut Reader) -> ControlFlow<String> {
    statement.visit(reader)
}

#[derive(Default)]
struct Reader {
    said: Said,
    /// The operator family of each expression around the visited one.
    around: Vec<Option<Family>>,
}

impl VisitorMut for Reader {
    type Break = String;

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<String> {
        if let Err(message) = unplanned::expression(expression) {
            return ControlFlow::Break(message);
        }
        dialect::expression(expression);
        if let Expr::CompoundIdentifier(names) = expression
            && let [.., table, column] = names.as_slice()
        {
            self.said.qualified.insert((normal(table), normal(column)));
        }
        if let Err(message) = like::mend(expression) {
            return ControlFlow::Break(message);
        }
        let family = Family::of(expression);
        let new = family.filter(|family| self.around.last() != Some(&Some(*family)));
        if let Some(family) = new {
            let taken = replace(expression, Expr::value(Value::Null));
            match family.bind(taken) {
                Ok(bound) => *expression = bound,
                Err(message) => return ControlFlow::Break(message),
            }
        }
        self.around.push(Family::of(expression));
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, _: &mut Expr) -> ControlFlow<String> {
        self.around.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<String> {
        if let Err(message) = unplanned::select(select).and_then(|()| dialect::select(select)) {
            return ControlFlow::Break(message);
        }
        for item in &select.projection {
            match item {
                SelectItem::Wildcard(_) => self.said.all = true,
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                    let table = name.0.last().and_then(|part| part.as_ident()).map(normal);
                    self.said.whole.extend(table);
                }
                _ => {}
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<String> {
        if let Err(message) = unplanned::query(query) {
            return ControlFlow::Break(message);
        }
        if let Err(message) = check_order(query) {
            return ControlFlow::Break(message);
        }
        let ctes = query.with.iter().flat_map(|with| &with.cte_tables);
        for cte in ctes {
            by_place(&cte.query, Some(&cte.alias))?;
        }
        if matches!(query.body.as_ref(), SetExpr::SetOperation { .. }) {
            arms(&query.body)?;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<String> {
        if let Err(message) = unplanned::factor(factor) {
            return ControlFlow::Break(message);
        }
        dialect::factor(factor);
        match factor {
            TableFactor::Derived { subquery, alias, .. } => by_place(subquery, alias.as_ref()),
            _ => ControlFlow::Continue(()),
        }
    }
}

/// Returns a name as DataFusion normalises it.
fn normal(name: &Ident) -> String {
    match name.quote_style {
        Some(_) => name.value.clone(),
        None => name.value.to_ascii_lowercase(),
    }
}

/// Refuses ORDER BY a column of a grouped select if another column, or a group, is a CAST of a column of that name.
/// DataFusion mistakes the one for the other.
fn check_order(query: &Query) -> Result<(), String> {
    let (SetExpr::Select(select), Some(OrderBy { kind: OrderByKind::Expressions(keys), .. })) =
        (query.body.as_ref(), &query.order_by)
    else {
        return Ok(());
    };
    // the name of each column, and of the column that it is a CAST of
    let columns = select.projection.iter().map(|item| match item {
        SelectItem::ExprWithAlias { expr, alias } => (Some(normal(alias)), cast_of(expr)),
        SelectItem::UnnamedExpr(expr) => (column(expr), cast_of(expr)),
        _ => (None, None),
    });
    let columns: Vec<_> = columns.collect();
    let groups = match &select.group_by {
        GroupByExpr::Expressions(expressions, _) => expressions.as_slice(),
        GroupByExpr::All(_) => &[],
    };
    let is_cast = |name: &String, place: Option<usize>| {
        let others = columns.iter().enumerate().filter(|(n, _)| Some(*n) != place).map(|(_, (_, of))| of.clone());
        others.chain(groups.iter().map(cast_of)).flatten().any(|of| of == *name)
    };
    for key in keys {
        let place = match &key.expr {
            Expr::Identifier(name) => columns.iter().position(|(of, _)| of.as_ref() == Some(&normal(name))),
            Expr::Value(value) => value.to_string().parse::<usize>().ok().and_then(|place| place.checked_sub(1)),
            _ => None,
        };
        let Some((Some(name), of)) = place.and_then(|place| columns.get(place)) else { continue };
        if of.as_ref() != Some(name)
            && is_cast(name, place)
            && !matches!(&select.group_by, GroupByExpr::Expressions(by, _) if by.is_empty())
        {
            return Err(format!(
                "ORDER BY {name}: it is the name of a column of the query, and of one that a CAST of the query reads: \
                 give the query's column another name"
            ));
        }
    }
    Ok(())
}

/// Returns the name of a column, without its table's.
fn column(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Identifier(name) => Some(normal(name)),
        Expr::CompoundIdentifier(names) => names.last().map(normal),
        _ => None,
    }
}

/// Returns the name of the column that an expression is a CAST of.
fn cast_of(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Cast { expr, .. } => column(expr).or_else(|| cast_of(expr)),
        Expr::Nested(expression) => cast_of(expression),
        _ => None,
    }
}

/// Checks a query whose alias renames its columns, which are then matched by position.
fn by_place(query: &Query, alias: Option<&TableAlias>) -> ControlFlow<String> {
    if alias.is_some_and(|alias| !alias.columns.is_empty()) { arms(&query.body) } else { ControlFlow::Continue(()) }
}

/// Checks a select whose columns are matched by position. Refuses `*` over a join with USING, and also INTERSECT ALL
/// and EXCEPT ALL.
fn arms(body: &SetExpr) -> ControlFlow<String> {
    match body {
        SetExpr::SetOperation { op, set_quantifier: SetQuantifier::All | SetQuantifier::AllByName, .. }
            if *op != SetOperator::Union =>
        {
            ControlFlow::Break(format!(
                "{op} ALL does not count equal rows here: number them in both, with row_number() OVER (PARTITION BY \
                 all columns) AS n, and write {op}"
            ))
        }
        SetExpr::SetOperation { left, right, .. } => {
            arms(left)?;
            arms(right)
        }
        SetExpr::Query(query) => arms(&query.body),
        SetExpr::Select(select) if is_all_of_a_join(select) => ControlFlow::Break(
            "`SELECT *` of a join with USING, or of a NATURAL JOIN, where columns go by their place: engines put its \
             columns in different orders; name them"
                .into(),
        ),
        _ => ControlFlow::Continue(()),
    }
}

fn is_all_of_a_join(select: &Select) -> bool {
    let all = select.projection.iter().any(|item| matches!(item, SelectItem::Wildcard(_)));
    let joins = |factor: &TableFactor| match factor {
        TableFactor::NestedJoin { table_with_joins, .. } => table_with_joins.joins.clone(),
        _ => Vec::new(),
    };
    let merges = |operator: &JoinOperator| {
        matches!(constraint(operator), Some(JoinConstraint::Using(_) | JoinConstraint::Natural))
    };
    all && select.from.iter().any(|from| {
        let nested = from.joins.iter().flat_map(|join| joins(&join.relation)).chain(joins(&from.relation));
        from.joins.iter().cloned().chain(nested).any(|join| merges(&join.join_operator))
    })
}

fn constraint(operator: &JoinOperator) -> Option<&JoinConstraint> {
    match operator {
        JoinOperator::Join(on)
        | JoinOperator::Inner(on)
        | JoinOperator::Left(on)
        | JoinOperator::LeftOuter(on)
        | JoinOperator::Right(on)
        | JoinOperator::RightOuter(on)
        | JoinOperator::FullOuter(on) => Some(on),
        _ => None,
    }
}

/// A family of operators, within which the precedence is corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    /// AND, OR, NOT and `IS [NOT] DISTINCT FROM`. The parser takes everything after the last of these as its right
    /// side.
    Logic,
    /// Arithmetic, `||` and bit operators. The parser's precedence differs from Spark's: `||` before `+`, `&` before
    /// `<<`.
    Values,
}

impl Family {
    fn of(expression: &Expr) -> Option<Self> {
        match expression {
            Expr::BinaryOp { op, .. } => [Self::Logic, Self::Values].into_iter().find(|family| family.strength(op) > 0),
            Expr::IsDistinctFrom(..) | Expr::IsNotDistinctFrom(..) => Some(Self::Logic),
            Expr::UnaryOp { op: UnaryOperator::Not, .. } => Some(Self::Logic),
            _ => None,
        }
    }

    /// Returns how strongly an operator of the family binds in Spark, or 0 for another operator.
    fn strength(self, operator: &BinaryOperator) -> u8 {
        match (self, operator) {
            (Self::Logic, BinaryOperator::Or) => 1,
            (Self::Logic, BinaryOperator::And) => 2,
            (Self::Values, BinaryOperator::BitwiseOr) => 1,
            (Self::Values, BinaryOperator::BitwiseXor | BinaryOperator::PGBitwiseXor) => 2,
            (Self::Values, BinaryOperator::BitwiseAnd) => 3,
            (Self::Values, BinaryOperator::PGBitwiseShiftLeft | BinaryOperator::PGBitwiseShiftRight) => 4,
            (Self::Values, BinaryOperator::Plus | BinaryOperator::Minus | BinaryOperator::StringConcat) => 5,
            (
                Self::Values,
                BinaryOperator::Multiply
                | BinaryOperator::Divide
                | BinaryOperator::Modulo
                | BinaryOperator::MyIntegerDivide
                | BinaryOperator::DuckIntegerDivide,
            ) => 6,
            _ => 0,
        }
    }

    /// Rebuilds the expression so that its operators bind as in Spark. An expression in parentheses is one operand.
    fn bind(self, expression: Expr) -> Result<Expr, String> {
        let Flat { first, rest } = self.flat(expression)?;
        let mut operands = vec![first];
        let mut waiting: Vec<BinaryOperator> = Vec::new();
        for (operator, operand) in rest {
            while waiting.last().is_some_and(|before| self.strength(before) >= self.strength(&operator)) {
                join(&mut operands, waiting.pop());
            }
            waiting.push(operator);
            operands.push(operand);
        }
        while !waiting.is_empty() {
            join(&mut operands, waiting.pop());
        }
        operands.pop().ok_or_else(|| "an expression without operands".into())
    }

    /// Flattens the expression to its operands, in the order of the text.
    fn flat(self, mut expression: Expr) -> Result<Flat, String> {
        // in reverse order
        let mut rest = Vec::new();
        loop {
            expression = match expression {
                Expr::BinaryOp { left, op, right } if self.strength(&op) > 0 => {
                    let right = self.flat(*right)?;
                    rest.extend(right.rest.into_iter().rev());
                    rest.push((op, right.first));
                    *left
                }
                Expr::IsDistinctFrom(left, right) if self == Self::Logic => {
                    let right = self.right_of_distinct(*right, &mut rest)?;
                    break finish(Expr::IsDistinctFrom(left, right.into()), rest);
                }
                Expr::IsNotDistinctFrom(left, right) if self == Self::Logic => {
                    let right = self.right_of_distinct(*right, &mut rest)?;
                    break finish(Expr::IsNotDistinctFrom(left, right.into()), rest);
                }
                Expr::UnaryOp { op: UnaryOperator::Not, expr } if self == Self::Logic => {
                    let of = self.flat(*expr)?;
                    rest.extend(of.rest.into_iter().rev());
                    break finish(Expr::UnaryOp { op: UnaryOperator::Not, expr: of.first.into() }, rest);
                }
                operand => break finish(operand, rest),
            }
        }
    }

    /// Returns the right side of an IS DISTINCT FROM. Whatever the parser wrongly took as part of it goes before
    /// `rest`.
    fn right_of_distinct(self, right: Expr, rest: &mut Vec<(BinaryOperator, Expr)>) -> Result<Expr, String> {
        let right = self.flat(right)?;
        if let Expr::IsDistinctFrom(..)
        | Expr::IsNotDistinctFrom(..)
        | Expr::IsNull(_)
        | Expr::IsNotNull(_)
        | Expr::IsTrue(_)
        | Expr::IsNotTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsNotFalse(_)
        | Expr::IsUnknown(_)
        | Expr::IsNotUnknown(_) = &right.first
        {
            return Err(format!("`IS DISTINCT FROM {}` may mean two things: write parentheses", right.first));
        }
        rest.extend(right.rest.into_iter().rev());
        Ok(right.first)
    }
}

/// Operands with the operators between them, in the order of the text.
struct Flat {
    first: Expr,
    rest: Vec<(BinaryOperator, Expr)>,
}

fn finish(first: Expr, mut rest: Vec<(BinaryOperator, Expr)>) -> Result<Flat, String> {
    rest.reverse();
    Ok(Flat { first, rest })
}

/// Combines the last two operands into one.
fn join(operands: &mut Vec<Expr>, operator: Option<BinaryOperator>) {
    if let (Some(right), Some(left), Some(op)) = (operands.pop(), operands.pop(), operator) {
        operands.push(Expr::BinaryOp { left: left.into(), op, right: right.into() });
    }
}

#[cfg(test)]
mod tests;
