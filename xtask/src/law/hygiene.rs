/// Paths that are true on one machine only. In two pieces, so that this file is not one that mentions them.
const MACHINE_PATHS: [&str; 3] = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("../sha", "red")];

/// Where each lock file says that packages come from: a mirror's host would end the build for everybody else.
const ORIGINS: [(&str, &str, &str); 2] = [
    ("Cargo.lock", "source = \"", "registry+https://github.com/rust-lang/crates.io-index\""),
    ("package-lock.json", "\"resolved\": \"", "https://registry.npmjs.org/"),
];

/// One line for each line of a tracked file that is true on one machine only.
pub fn hygiene(path: &str, text: &str) -> Vec<String> {
    let mut broken = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let number = number + 1;
        for machine in MACHINE_PATHS {
            if line.contains(machine) {
                broken.push(format!("{path}:{number} mentions {machine}"));
            }
        }
        for (file, key, origin) in ORIGINS {
            if path.ends_with(file)
                && let Some((_, from)) = line.split_once(key)
                && !from.starts_with(origin)
            {
                broken.push(format!("{path}:{number} takes a package from another place than {origin}"));
            }
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_paths_and_mirrors_are_found() {
        for machine in MACHINE_PATHS {
            let text = format!("fine\nsee {machine}x\n");
            assert_eq!(hygiene("a.md", &text), [format!("a.md:2 mentions {machine}")]);
        }
        assert_eq!(hygiene("a.md", "a workshop and a root/ folder"), [""; 0]);
        let lock = "source = \"registry+https://mirror.example/index\"\n";
        assert_eq!(hygiene("Cargo.lock", lock).len(), 1);
        let lock = "\"resolved\": \"https://mirror.example/x.tgz\"\n";
        assert_eq!(hygiene("www/package-lock.json", lock).len(), 1);
        let lock = "\"resolved\": \"https://registry.npmjs.org/x/-/x-1.tgz\"\n";
        assert_eq!(hygiene("package-lock.json", lock), [""; 0]);
    }
}
