//! The settings that the deployed template gives the functions.

use std::collections::BTreeSet;

use tests::{Options, Stack};

#[tokio::test(flavor = "multi_thread")]
async fn every_setting_that_a_function_reads_is_set_and_no_other() {
    let stack = Stack::deploy("settings", Options::default()).await;
    for (function, settings) in boot::env::BY_FUNCTION {
        let name = stack.function(function);
        let found = stack.lambda.get_function_configuration().function_name(&name).send().await.unwrap();
        let set = found.environment().and_then(|environment| environment.variables()).unwrap();
        let set: BTreeSet<&str> = set.keys().map(String::as_str).collect();
        assert_eq!(set, settings.iter().copied().collect(), "{function}");
    }
}
