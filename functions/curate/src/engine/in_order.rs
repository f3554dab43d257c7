//! A plan in one piece: the branches of a UNION ALL one after another, each from its first row to its last. In
//! DataFusion they run side by side and give their rows as these come, so that every run would have another order, and
//! below a LIMIT other rows. What is said of the order of rows must hold: after grouping sets it doesn't.

use std::fmt;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result, internal_err, not_impl_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
    ReplaceChildrenOptions,
};
use futures::stream::{self, TryStreamExt};

/// Puts an [`InOrder`] over each union, and over each aggregate of grouping sets. To run before all other rules: then every step of a plan has one partition, and
/// nothing is there that could be merged in the order in which it comes.
#[derive(Debug)]
pub struct OneAfterAnother;

impl PhysicalOptimizerRule for OneAfterAnother {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let over_them = plan.transform_up(|plan| match plan.is::<UnionExec>() || has_grouping_sets(&plan) {
            true => Ok(Transformed::yes(Arc::new(InOrder::new(plan)) as Arc<dyn ExecutionPlan>)),
            false => Ok(Transformed::no(plan)),
        });
        over_them.data()
    }

    fn name(&self) -> &str {
        "one_after_another"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn has_grouping_sets(plan: &Arc<dyn ExecutionPlan>) -> bool {
    plan.downcast_ref::<AggregateExec>().is_some_and(|aggregate| !aggregate.group_expr().is_single())
}

/// Refuses a plan of which some step has several partitions, other than a union (which is below an [`InOrder`]): its rows
/// would have no order. To run after all other rules.
#[derive(Debug)]
pub struct InOnePiece;

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
        match unordered {
            true => not_impl_err!(
                "the rows of this query come in no order ({}), and the table could not be built again: write it in \
                 another way",
                several.as_deref().unwrap_or("UnionExec")
            ),
            false => Ok(plan),
        }
    }

    fn name(&self) -> &str {
        "in_one_piece"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The partitions of a step, one after another: none is begun before all rows of the one before it have been taken.
#[derive(Debug)]
struct InOrder {
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl InOrder {
    fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        let equal = match has_grouping_sets(&input) {
            // DataFusion takes what is one value below, or equal to another, for that above too, where it may be null
            true => EquivalenceProperties::new(input.schema()),
            // what is sorted in each branch is not so in all of them
            false => {
                let mut equal = input.equivalence_properties().clone();
                equal.clear_orderings();
                equal.clear_per_partition_constants();
                equal
            }
        };
        let partitioning = Partitioning::UnknownPartitioning(1);
        let properties = PlanProperties::new(equal, partitioning, input.pipeline_behavior(), input.boundedness());
        Self { input, properties: Arc::new(properties) }
    }
}

impl DisplayAs for InOrder {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("InOrder")
    }
}

impl ExecutionPlan for InOrder {
    fn name(&self) -> &str {
        "InOrder"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
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
        match <[_; 1]>::try_from(children) {
            Ok([input]) => Ok(Arc::new(Self::new(input))),
            Err(_) => internal_err!("the order of one input is kept"),
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
