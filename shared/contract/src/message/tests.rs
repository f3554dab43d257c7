//! The JSON form of the messages.

use serde_json::json;

use super::*;

fn catalog(event: serde_json::Value) -> Result<CatalogRequest, String> {
    serde_json::from_value(event).map_err(|error| error.to_string())
}

fn publish(event: serde_json::Value) -> PublishRequest {
    match catalog(event) {
        Ok(CatalogRequest::Publish(request)) => *request,
        other => panic!("{other:?}"),
    }
}

#[test]
fn catalog_is_asked_by_curate_and_by_hand() {
    let built = json!({
        "run": "20261123T034500123Z-aaaa",
        "manifest": {"bucket": "curated", "key": "database/_manifests/20261123T034500123Z-aaaa.json"},
        "tables": []
    });
    assert!(matches!(publish(built.clone()).run, Target::Built(_)));
    let mut plan = built;
    plan["plan_only"] = true.into();
    assert!(publish(plan).plan_only);
    assert_eq!(publish(json!({"publish": "previous"})).run, Target::Named("previous".into()));
    assert_eq!(publish(json!({"plan_only": true})).run, Target::Latest);
    assert!(publish(json!({"publish": "latest", "drop": true})).drop);
    assert!(publish(json!({"recreate": true})).recreate);
    let taking = publish(json!({"take_over": ["t"]}));
    assert_eq!((taking.run, taking.take_over), (Target::Latest, vec!["t".to_owned()]));
    let dry = ExpireRequest { expire: true, dry_run: true };
    assert_eq!(catalog(json!({"expire": true, "dry_run": true})), Ok(CatalogRequest::Expire(dry)));
}

#[test]
fn catalog_is_not_asked_for_nothing_or_for_two_things() {
    for (event, part) in [
        (json!({}), "expected curate's answer"),
        (json!({"run": "20261123T034500123Z-aaaa"}), "expected curate's answer"),
        (json!({"publish": "latest", "recreate": true}), "`recreate` makes again what is published"),
        (json!({"recreate": true, "drop": true}), "`recreate` makes again what is published"),
        (json!({"recreate": true, "take_over": ["t"]}), "`recreate` makes again what is published"),
        (json!({"expire": false}), "`expire` is `true`"),
        (json!({"expire": true, "publish": "latest"}), "unknown field `publish`"),
        (json!({"plan": true}), "unknown field `plan`"),
    ] {
        let problem = catalog(event).unwrap_err();
        assert!(problem.contains(part), "{problem}");
    }
}
