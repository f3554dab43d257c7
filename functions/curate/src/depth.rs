//! The depth of SQL: the levels of its syntax tree, counted from its tokens without a parser. SQL that is deeper than
//! any that has been seen to run is refused before anything recurses through it.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

/// Operators in a row or nested: `a + b * c` has two. The time to plan a sum of integers grows with the cube of its
/// length. 400 terms take 25 s in an unoptimised build, and everything else takes less than a tenth of that.
pub(crate) const MOST_OPERATORS: usize = 1_000;
/// Nested brackets, CASEs and subqueries.
pub(crate) const MOST_NESTED: usize = 200;
/// Nested subqueries in expressions (EXISTS, IN, a value). Each doubles the time that planning takes.
pub(crate) const MOST_SUBQUERIES: usize = 12;
/// SELECTs of a query, each of which is a part of the plan.
pub(crate) const MOST_SELECTS: usize = 1_000;
/// JOINs of a query. The time to plan them grows with the cube of their number.
pub(crate) const MOST_JOINS: usize = 200;
/// The parser's recursion limit. The parser counts several levels for a bracket.
pub(crate) const PARSED_LEVELS: usize = 40 * MOST_NESTED;

/// Fails if the SQL is too deep. Other errors are left to the parser.
pub(crate) fn check(sql: &str) -> Result<(), String> {
    let Ok(tokens) = Tokenizer::new(&GenericDialect {}, sql).tokenize() else { return Ok(()) };
    let mut depth = Depth { open: vec![Level::default()], ..Depth::default() };
    tokens.iter().for_each(|token| depth.take(token));
    while depth.open.len() > 1 {
        depth.close();
    }
    let operators = depth.open.pop().unwrap_or_default().levels();
    for (what, found, most) in [
        ("SELECTs", depth.selects, MOST_SELECTS),
        ("JOINs", depth.joins, MOST_JOINS),
        ("brackets, CASEs or subqueries inside of each other", depth.nested, MOST_NESTED),
        ("subqueries inside of each other in expressions", depth.subqueries, MOST_SUBQUERIES),
        ("operators one after another in an expression", operators, MOST_OPERATORS),
    ] {
        if found > most {
            return Err(format!(
                "{found} {what}, and at most {most} are run: take the query apart into tables of their own, or say it \
                 otherwise, as with `IN (…)`, `concat_ws` or a join with the values"
            ));
        }
    }
    Ok(())
}

#[derive(Default)]
struct Depth {
    /// The open brackets and CASEs, outermost first.
    open: Vec<Level>,
    nested: usize,
    subqueries: usize,
    selects: usize,
    joins: usize,
    /// Whether the last token was a word that a relation follows.
    relation_next: bool,
}

/// The content of a pair of brackets or of a CASE.
#[derive(Default)]
struct Level {
    /// Operators since the last comma or clause.
    operators: usize,
    /// The depth of the deepest brackets since then.
    inside: usize,
    /// The depth of the deepest part so far. Commas and clauses separate parts.
    deepest: usize,
    /// UNIONs and JOINs, each of which encloses everything before it.
    around: usize,
    /// Whether the bracket stands in the place of a relation.
    is_relation: bool,
    /// Whether it contains a SELECT that is not a relation.
    is_subquery: bool,
}

impl Level {
    fn end_part(&mut self) {
        self.deepest = self.deepest.max(self.operators + self.inside);
        (self.operators, self.inside) = (0, 0);
    }

    fn levels(mut self) -> usize {
        self.end_part();
        self.deepest + self.around
    }
}

impl Depth {
    fn take(&mut self, token: &Token) {
        if let Token::Whitespace(_) = token {
            return;
        }
        let is_relation = std::mem::replace(&mut self.relation_next, false);
        match token {
            Token::LParen => self.open(is_relation),
            Token::Number(..) | Token::Period | Token::SingleQuotedString(_) => {}
            Token::LBracket | Token::LBrace => self.open(false),
            Token::RParen | Token::RBracket | Token::RBrace => self.close(),
            Token::Comma | Token::SemiColon => self.top(Level::end_part),
            Token::Word(word) => self.word(word.keyword, word.quote_style.is_some()),
            // an operator, or something else that is rare enough to count as one
            _ => self.top(|level| level.operators += 1),
        }
    }

    fn word(&mut self, keyword: Keyword, quoted: bool) {
        match keyword {
            _ if quoted => {}
            Keyword::CASE => self.open(false),
            Keyword::END => self.close(),
            Keyword::SELECT => {
                self.selects += 1;
                let outermost = self.open.len() == 1;
                self.top(|level| {
                    level.end_part();
                    level.is_subquery = !level.is_relation && !outermost;
                });
                self.subqueries = self.subqueries.max(self.open.iter().filter(|level| level.is_subquery).count());
            }
            Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT | Keyword::MINUS => {
                self.top(|level| level.around += 1);
            }
            Keyword::JOIN => {
                self.joins += 1;
                self.relation_next = true;
                self.top(|level| level.around += 1);
            }
            Keyword::AS | Keyword::LATERAL => self.relation_next = true,
            Keyword::FROM => {
                self.relation_next = true;
                self.top(Level::end_part);
            }
            Keyword::WHERE
            | Keyword::GROUP
            | Keyword::HAVING
            | Keyword::ORDER
            | Keyword::ON
            | Keyword::WHEN
            | Keyword::THEN
            | Keyword::ELSE => self.top(Level::end_part),
            Keyword::AND
            | Keyword::OR
            | Keyword::NOT
            | Keyword::IS
            | Keyword::IN
            | Keyword::LIKE
            | Keyword::ILIKE
            | Keyword::BETWEEN
            | Keyword::AT
            | Keyword::DIV => self.top(|level| level.operators += 1),
            _ => {}
        }
    }

    fn top(&mut self, change: impl FnOnce(&mut Level)) {
        if let Some(level) = self.open.last_mut() {
            change(level);
        }
    }

    fn open(&mut self, is_relation: bool) {
        self.open.push(Level { is_relation, ..Level::default() });
        self.nested = self.nested.max(self.open.len() - 1);
    }

    fn close(&mut self) {
        // the parser reports a closing bracket too many
        if self.open.len() > 1 {
            let levels = self.open.pop().unwrap_or_default().levels();
            self.top(|level| level.inside = level.inside.max(levels + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(sql: &str) -> usize {
        let mut depth = Depth { open: vec![Level::default()], ..Depth::default() };
        for token in &Tokenizer::new(&GenericDialect {}, sql).tokenize().unwrap() {
            depth.take(token);
        }
        assert_eq!(depth.open.len(), 1, "{sql}");
        depth.open.pop().unwrap().levels()
    }

    #[test]
    fn what_is_side_by_side_does_not_go_deeper() {
        for (sql, expected) in [
            ("SELECT a + b + c FROM t", 2),
            ("SELECT a + b, b + c, a FROM t WHERE a = 1 AND b = 2", 3),
            ("SELECT a IN (1, 2, 3, 4) FROM t", 2),
            ("SELECT CASE WHEN a = 1 THEN 1 WHEN a = 2 THEN 2 WHEN a = 3 THEN 3 ELSE 4 END FROM t", 2),
            ("SELECT f(g(h(a)), h(b)) FROM t", 3),
            ("SELECT a FROM t UNION ALL SELECT a FROM u UNION ALL SELECT b FROM t", 2),
            ("SELECT \"end\", 'a + b' FROM t -- a + b", 0),
        ] {
            assert_eq!(levels(sql), expected, "{sql}");
        }
    }

    #[test]
    fn too_deep_is_said() {
        let many = |times: usize, before: &str, after: &str| {
            format!("SELECT {}a{} FROM t", before.repeat(times), after.repeat(times))
        };
        for (fits, not, says) in [
            (many(1_000, "", " + a"), many(1_001, "", " + a"), "1001 operators one after another"),
            (many(200, "(", ")"), many(201, "(", ")"), "201 brackets"),
            (many(100, "f(CASE WHEN a THEN ", " END)"), many(101, "f(CASE WHEN a THEN ", " END)"), "202 brackets"),
        ] {
            assert_eq!(check(&fits), Ok(()));
            assert!(check(&not).unwrap_err().starts_with(says));
        }
        let exists = |times: usize| {
            let all = " WHERE EXISTS (SELECT 1 FROM (SELECT a FROM t) AS u".repeat(times);
            format!("WITH v AS (SELECT a FROM t) SELECT a FROM v{all}{}", ")".repeat(times))
        };
        assert_eq!(check(&exists(12)), Ok(()));
        assert!(check(&exists(13)).unwrap_err().starts_with("13 subqueries inside of each other in expressions"));
        let joins =
            |times: usize| format!("SELECT t.a FROM t{}", " JOIN (SELECT a FROM t) AS u USING (a)".repeat(times));
        assert_eq!(check(&joins(200)), Ok(()));
        assert!(check(&joins(201)).unwrap_err().starts_with("201 JOINs"));
        let unions = |times: usize| vec!["SELECT a FROM t"; times].join(" UNION ALL ");
        assert_eq!(check(&unions(1_000)), Ok(()));
        assert!(check(&unions(1_001)).unwrap_err().starts_with("1001 SELECTs"));
    }
}
