use std::collections::BTreeSet;

/// A workspace crate and what it depends on.
#[derive(Debug, Clone)]
pub struct Crate {
    /// The package's name.
    pub name: String,
    /// Names of all its normal and build dependencies, on any platform, optional or not.
    pub dependencies: BTreeSet<String>,
}

/// The workspace's edges: a crate may use the crates named beside it and no other of the workspace.
/// `protocol <- call <- engine <- bindings`, `protocol <- rooms <- server`, `sfu <- server`.
/// A crate that uses another may also use what that one shows in its interface.
const EDGES: [(&str, &[&str]); 13] = [
    ("jmrtc-protocol", &[]),
    ("jmrtc-call", &["jmrtc-protocol"]),
    ("jmrtc-audio", &[]),
    ("jmrtc-engine", &["jmrtc-protocol", "jmrtc-call", "jmrtc-audio"]),
    ("jmrtc-bindings", &["jmrtc-protocol", "jmrtc-call", "jmrtc-audio", "jmrtc-engine"]),
    ("jmrtc-wasm", &["jmrtc-protocol", "jmrtc-call"]),
    ("jmrtc-phone", &["jmrtc-protocol", "jmrtc-call", "jmrtc-audio", "jmrtc-engine"]),
    ("jmrtc-rooms", &["jmrtc-protocol"]),
    ("jmrtc-sfu", &[]),
    ("jmrtc-server", &["jmrtc-protocol", "jmrtc-rooms", "jmrtc-sfu"]),
    ("jmrtc-sim", &["jmrtc-protocol", "jmrtc-call", "jmrtc-rooms"]),
    ("jmrtc-scenarios", &["jmrtc-protocol", "jmrtc-call", "jmrtc-sim"]),
    ("xtask", &["jmrtc-protocol", "jmrtc-call", "jmrtc-sim"]),
];

/// What the pure crates may use from outside the workspace. A new line here is a decision: the crate
/// named must do no I/O, read no clock and roll no dice unless it is handed the seed.
const PURE: [(&str, &[&str]); 4] = [
    ("jmrtc-protocol", &["serde", "serde_json", "schemars", "ts-rs"]),
    ("jmrtc-call", &["serde", "serde_json", "schemars", "ts-rs", "rand_chacha", "rand_core"]),
    ("jmrtc-rooms", &["serde", "serde_json", "rand_chacha", "rand_core", "sha2"]),
    ("jmrtc-sfu", &["str0m", "thiserror", "log"]),
];

/// One line for each edge between workspace crates that the law does not know.
pub fn edges(workspace: &[Crate]) -> Vec<String> {
    let members: BTreeSet<_> = workspace.iter().map(|c| c.name.as_str()).collect();
    let mut broken = Vec::new();
    for krate in workspace {
        let Some((_, allowed)) = EDGES.iter().find(|(name, _)| *name == krate.name) else {
            broken.push(format!("{} is not in the dependency law", krate.name));
            continue;
        };
        for used in krate.dependencies.iter().filter(|d| members.contains(d.as_str())) {
            if !allowed.contains(&used.as_str()) {
                broken.push(format!("{} must not depend on {used}", krate.name));
            }
        }
    }
    broken
}

/// One line for each outside crate that a pure crate uses without a decision, and for each pure crate that is not there.
pub fn purity_of_dependencies(workspace: &[Crate]) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, allowed) in PURE {
        let Some(krate) = workspace.iter().find(|c| c.name == name) else {
            broken.push(format!("the pure crate {name} is not in the workspace"));
            continue;
        };
        for used in &krate.dependencies {
            let inside = workspace.iter().any(|c| &c.name == used);
            if !inside && !allowed.contains(&used.as_str()) {
                broken.push(format!("the pure crate {name} must not depend on {used}"));
            }
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn krate(name: &str, dependencies: &[&str]) -> Crate {
        Crate { name: name.to_owned(), dependencies: dependencies.iter().map(|&d| d.to_owned()).collect() }
    }

    #[test]
    fn edges_can_be_broken() {
        let workspace = [
            krate("jmrtc-protocol", &["jmrtc-call", "serde"]),
            krate("jmrtc-call", &["jmrtc-protocol"]),
            krate("jmrtc-new", &[]),
        ];
        let expected =
            ["jmrtc-protocol must not depend on jmrtc-call", "jmrtc-new is not in the dependency law"];
        assert_eq!(edges(&workspace), expected);
    }

    #[test]
    fn pure_dependencies_can_be_broken() {
        let mut workspace = vec![
            krate("jmrtc-protocol", &["serde"]),
            krate("jmrtc-call", &["jmrtc-protocol", "tokio"]),
            krate("jmrtc-rooms", &["jmrtc-protocol", "getrandom"]),
        ];
        let expected = [
            "the pure crate jmrtc-call must not depend on tokio",
            "the pure crate jmrtc-rooms must not depend on getrandom",
            "the pure crate jmrtc-sfu is not in the workspace",
        ];
        assert_eq!(purity_of_dependencies(&workspace), expected);

        workspace[1] = krate("jmrtc-call", &["jmrtc-protocol"]);
        workspace[2] = krate("jmrtc-rooms", &["jmrtc-protocol"]);
        workspace.push(krate("jmrtc-sfu", &["str0m"]));
        assert_eq!(purity_of_dependencies(&workspace), [""; 0]);
    }
}
