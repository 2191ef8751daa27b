//! The mutants' list stays a list of faults that can be put in.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;

use xtask::mutants::list;

#[test]
fn every_mutant_applies() {
    let root = xtask::root();
    let mutants = list(&root, &[]).unwrap();
    assert!(mutants.len() >= 25, "{} mutants", mutants.len());
    let titles: BTreeSet<_> = mutants.iter().map(|m| &m.title).collect();
    assert_eq!(titles.len(), mutants.len(), "a title twice");
    let applies = |mutant: &xtask::mutants::Mutant| {
        let text = fs::read_to_string(root.join(&mutant.file)).unwrap();
        let mutated = mutant.apply(&text).map_err(|e| e.to_string())?;
        if mutated == text { Err(format!("`{}` changes nothing", mutant.title)) } else { Ok(()) }
    };
    let outdated: Vec<String> = mutants.iter().filter_map(|mutant| applies(mutant).err()).collect();
    assert!(outdated.is_empty(), "{}", outdated.join("\n"));
}
