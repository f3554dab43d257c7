//! A filter's condition without the conclusions that DataFusion draws from it. From the bounds of a comparison, it
//! takes columns with many values for constants (`CAST(ts AS DATE) = …`, `n / 10 = 0`, `CAST(n AS BOOLEAN)`).

use std::fmt::{self, Display, Formatter};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, FieldRef, Schema};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;

/// See the [module](self).
#[derive(Debug, Eq)]
pub(super) struct Unclaimed {
    of: Arc<dyn PhysicalExpr>,
}

// a derived one would move the field out of `other`
impl PartialEq for Unclaimed {
    fn eq(&self, other: &Self) -> bool {
        self.of.eq(&other.of)
    }
}

impl Hash for Unclaimed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.of.hash(state);
    }
}

impl Unclaimed {
    /// Wraps the condition.
    pub(super) fn of(condition: Arc<dyn PhysicalExpr>) -> Arc<dyn PhysicalExpr> {
        Arc::new(Self { of: condition })
    }
}

impl Display for Unclaimed {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.of)
    }
}

impl PhysicalExpr for Unclaimed {
    fn data_type(&self, schema: &Schema) -> Result<DataType> {
        self.of.data_type(schema)
    }

    fn nullable(&self, schema: &Schema) -> Result<bool> {
        self.of.nullable(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        self.of.evaluate(batch)
    }

    fn return_field(&self, schema: &Schema) -> Result<FieldRef> {
        self.of.return_field(schema)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.of]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        if let Ok([of]) = <[_; 1]>::try_from(children) { Ok(Self::of(of)) } else { internal_err!("a condition is one") }
    }

    fn fmt_sql(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        self.of.fmt_sql(formatter)
    }
}
