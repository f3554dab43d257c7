//! Generates docs/metadata.md: `make reference`.

use std::error::Error;
use std::fs;
use std::path::Path;

use contract::reference::page;

fn main() -> Result<(), Box<dyn Error>> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let schema = |name: &str| -> Result<serde_json::Value, Box<dyn Error>> {
        Ok(serde_json::from_str(&fs::read_to_string(docs.join("schema").join(name))?)?)
    };
    let file = docs.join("metadata.md");
    let made = page(&fs::read_to_string(&file)?, &schema("database.json")?, &schema("table.json")?)?;
    fs::write(&file, made)?;
    Ok(())
}
