//! Plans whose rows have one order. The branches of a UNION ALL run one after another, each from its first row to its
//! last. DataFusion runs them in parallel and returns rows as they arrive. Each run would have another order and, below
//! a LIMIT, other rows.
//!
//! Claims about the order of rows must hold as well. DataFusion's do not hold after grouping sets and outer joins, for
//! the results of a window, and for columns that a filter is said to reduce to one value. From
//! `CAST(ts AS DATE) = DATE '2026-11-27'` it concludes that `ts` has one value, and then drops `ORDER BY ts`.

use std::fmt;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result, internal_err, not_impl_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::filter::{FilterExec, FilterExecBuilder};
use datafusion::physical_plan::joins::{HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
    ReplaceChildrenOptions,
};
use futures::stream::{self, TryStreamExt};

use crate::engine::unclaimed::Unclaimed;

/// Puts an [`InOrder`] over each union, each aggregate of grouping sets, each outer join and each window, and hides
/// what a filter implies ([`Unclaimed`]). Runs before all other rules. Every step then has one partition, no later rule
/// merges partitions as they arrive, and no sort has been removed yet.
#[derive(Debug)]
pub(super) struct OneAfterAnother;

impl PhysicalOptimizerRule for OneAfterAnother {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let over_them = plan.transform_up(|plan| {
            if let Some(filter) = plan.downcast_ref::<FilterExec>() {
                let predicate = Unclaimed::of(Arc::clone(filter.predicate()));
                let filter = FilterExecBuilder::from(filter).with_predicate(predicate).build()?;
                return Ok(Transformed::yes(Arc::new(filter) as Arc<dyn ExecutionPlan>));
            }
            Ok(match Claims::of(&plan) {
                Some(claims) => Transformed::yes(Arc::new(InOrder::new(plan, claims)?) as Arc<dyn ExecutionPlan>),
                None => Transformed::no(plan),
            })
        });
        over_them.data()
    }

    fn name(&self) -> &'static str {
        "one_after_another"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The claims about the order of rows that hold above a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claims {
    /// Above a union. An order within each branch is not an order of all rows.
    OfBranches,
    /// Above grouping sets or an outer join. A column with one value below, or equal to another column, may be null
    /// above.
    None,
    /// Above a window. It keeps the order of its input, and nothing is known about the columns that it adds.
    OfInput,
}

impl Claims {
    fn of(plan: &Arc<dyn ExecutionPlan>) -> Option<Self> {
        match () {
            () if plan.is::<UnionExec>() => Some(Self::OfBranches),
            () if has_grouping_sets(plan) || is_outer_join(plan) => Some(Self::None),
            () if is_window(plan) => Some(Self::OfInput),
            () => None,
        }
    }

    fn equal(self, plan: &Arc<dyn ExecutionPlan>) -> Result<EquivalenceProperties> {
        let nothing = EquivalenceProperties::new(plan.schema());
        match self {
            Self::None => Ok(nothing),
            Self::OfBranches => {
                let mut equal = plan.equivalence_properties().clone();
                equal.clear_orderings();
                equal.clear_per_partition_constants();
                Ok(equal)
            }
            Self::OfInput => match plan.children().as_slice() {
                [input] if is_window(plan) => nothing.extend(input.equivalence_properties().clone()),
                // a later rule put a sort in between
                _ => Ok(plan.equivalence_properties().clone()),
            },
        }
    }
}

fn is_window(plan: &Arc<dyn ExecutionPlan>) -> bool {
    plan.is::<WindowAggExec>() || plan.is::<BoundedWindowAggExec>()
}

fn has_grouping_sets(plan: &Arc<dyn ExecutionPlan>) -> bool {
    plan.downcast_ref::<AggregateExec>().is_some_and(|aggregate| !aggregate.group_expr().is_single())
}

fn is_outer_join(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let hash = plan.downcast_ref::<HashJoinExec>().map(|join| *join.join_type());
    let merge = || plan.downcast_ref::<SortMergeJoinExec>().map(SortMergeJoinExec::join_type);
    let nested = || plan.downcast_ref::<NestedLoopJoinExec>().map(|join| *join.join_type());
    hash.or_else(merge).or_else(nested).is_some_and(datafusion::prelude::JoinType::is_outer)
}

/// Refuses a plan with a step of several partitions, because its rows have no order. A union is allowed, because it is
/// below an [`InOrder`]. Runs after all other rules.
#[derive(Debug)]
pub(super) struct InOnePiece;

impl PhysicalOptimizerRule for InOnePiece {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let mut several = None;
        plan.apply(|step| {
            if step.output_partitioning().partition_count() > 1 && !step.is::<UnionExec>() {
                several = Some(step.name().to_owned());
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        let unordered = plan.is::<UnionExec>() || several.is_some();
        if unordered {
            not_impl_err!(
                "the rows of this query have no fixed order ({}), so the table could not be rebuilt: write it in \
             another way",
                several.as_deref().unwrap_or("UnionExec")
            )
        } else {
            Ok(plan)
        }
    }

    fn name(&self) -> &'static str {
        "in_one_piece"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Runs the partitions of a step one after another. A partition starts when all rows of the previous one have been
/// read.
#[derive(Debug)]
struct InOrder {
    input: Arc<dyn ExecutionPlan>,
    claims: Claims,
    properties: Arc<PlanProperties>,
}

impl InOrder {
    fn new(input: Arc<dyn ExecutionPlan>, claims: Claims) -> Result<Self> {
        let equal = claims.equal(&input)?;
        let partitioning = Partitioning::UnknownPartitioning(1);
        let properties = PlanProperties::new(equal, partitioning, input.pipeline_behavior(), input.boundedness());
        Ok(Self { input, claims, properties: Arc::new(properties) })
    }
}

impl DisplayAs for InOrder {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("InOrder")
    }
}

impl ExecutionPlan for InOrder {
    fn name(&self) -> &'static str {
        "InOrder"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![self.claims == Claims::OfInput]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if let Ok([input]) = <[_; 1]>::try_from(children) {
            Ok(Arc::new(Self::new(input, self.claims)?))
        } else {
            internal_err!("the order of one input is kept")
        }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if partition != 0 {
            return internal_err!("there is one partition, and not number {partition}");
        }
        let input = Arc::clone(&self.input);
        let partitions = 0..input.output_partitioning().partition_count();
        let partitions = stream::iter(partitions.map(Ok::<_, DataFusionError>));
        let rows = partitions.and_then(move |partition| {
            let begun = input.execute(partition, Arc::clone(&context));
            async move { begun }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows.try_flatten())))
    }
}
