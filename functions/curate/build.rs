//! Links the program to run where it is linked for. DataFusion's tables of functions are half a million addresses,
//! which would otherwise have to be put in at every start: a tenth of what a small run takes.

#[expect(clippy::disallowed_methods, reason = "cargo's own, which is there for builds alone")]
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}
