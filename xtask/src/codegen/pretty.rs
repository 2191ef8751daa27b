/// Lays out a type declaration of ts-rs, which puts everything on few lines: a field and a union's arm a
/// line, comments above, no superfluous punctuation. `link` says how a doc link to `name` reads.
pub(super) fn pretty(declaration: &str, link: &dyn Fn(&str) -> String) -> String {
    let mut pretty =
        Pretty { rest: declaration.trim().trim_end_matches(';'), out: String::new(), link, arms: false };
    pretty.run();
    pretty.out.truncate(pretty.out.trim_end().len());
    pretty.out + "\n"
}

/// Longest object without comments that stays on one line.
const INLINE: usize = 90;

struct Pretty<'a> {
    rest: &'a str,
    out: String,
    link: &'a dyn Fn(&str) -> String,
    /// In a union with an arm a line.
    arms: bool,
}

impl Pretty<'_> {
    fn run(&mut self) {
        // The objects that are open and laid out over lines.
        let mut depth = 0;
        while let Some(c) = self.rest.chars().next() {
            if let Some((comment, rest)) = self.rest.strip_prefix("/**").and_then(|r| r.split_once("*/")) {
                self.comment(comment, depth);
                self.rest = rest;
                continue;
            }
            if c == '{'
                && let Some(object) = inline_object(self.rest)
            {
                self.out.push_str(&words(object));
                self.rest = &self.rest[object.len()..];
                continue;
            }
            self.rest = &self.rest[c.len_utf8()..];
            match c {
                '{' => {
                    depth += 1;
                    self.out.push('{');
                    self.line(depth);
                }
                '}' => {
                    depth -= 1;
                    self.line(depth);
                    self.out.push('}');
                }
                ',' if depth > 0 => self.line(depth),
                '=' if depth == 0 && is_long_union(self.rest) => {
                    self.out.push_str("=\n  |");
                    self.arms = true;
                }
                '|' if depth == 0 && self.arms => {
                    self.out.truncate(self.out.trim_end().len());
                    self.out.push_str("\n  |");
                }
                c if c.is_whitespace() => {
                    if !self.out.ends_with([' ', '\n']) {
                        self.out.push(' ');
                    }
                }
                '"' => self.string(),
                c => self.out.push(c),
            }
        }
    }

    /// Begins a line, unless one has just begun.
    fn line(&mut self, depth: usize) {
        self.out.truncate(self.out.trim_end().len());
        if !self.out.is_empty() {
            self.out.push('\n');
            self.out.push_str(&self.indent(depth));
        }
    }

    fn comment(&mut self, comment: &str, depth: usize) {
        let lines: Vec<_> = comment.lines().map(|l| l.trim_start_matches([' ', '*']).trim_end()).collect();
        let text: Vec<_> = lines.iter().skip_while(|l| l.is_empty()).map(|l| links(l, self.link)).collect();
        self.line(depth);
        match text.iter().rposition(|l| !l.is_empty()) {
            None => return,
            Some(0) => self.out.push_str(&format!("/** {} */", text[0])),
            Some(last) => {
                let indent = self.indent(depth);
                self.out.push_str("/**");
                for line in &text[..=last] {
                    self.out.push_str(format!("\n{indent} * {line}").trim_end());
                }
                self.out.push_str(&format!("\n{indent} */"));
            }
        }
        self.line(depth);
    }

    /// After the opening quote: a key loses its quotes, a value gets the project's.
    fn string(&mut self) {
        let (text, rest) = self.rest.split_once('"').unwrap_or((self.rest, ""));
        self.rest = rest;
        let quote = if rest.starts_with(':') { "" } else { "'" };
        self.out.push_str(&format!("{quote}{text}{quote}"));
    }

    fn indent(&self, depth: usize) -> String {
        "  ".repeat(if self.arms { depth + 2 } else { depth })
    }
}

/// Whether the type that `text` begins with is a union which does not fit on a line.
fn is_long_union(text: &str) -> bool {
    let mut depth = 0;
    let union = text.chars().any(|c| {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        depth == 0 && c == '|'
    });
    union && (text.len() > INLINE || text.contains('/'))
}

/// The object that `text` begins with, if it fits on a line.
fn inline_object(text: &str) -> Option<&str> {
    let mut depth = 0;
    for (index, c) in text.char_indices().take(INLINE) {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return Some(&text[..=index]),
            '}' => depth -= 1,
            '/' => return None,
            _ => {}
        }
    }
    None
}

/// An object on one line, in the project's quotes and without a trailing comma.
fn words(object: &str) -> String {
    let text = object.split_whitespace().collect::<Vec<_>>().join(" ").replace(", }", " }");
    let mut out = String::new();
    let mut parts = text.split('"');
    out.push_str(parts.next().unwrap_or_default());
    while let (Some(quoted), Some(after)) = (parts.next(), parts.next()) {
        let quote = if after.starts_with(':') { "" } else { "'" };
        out.push_str(&format!("{quote}{quoted}{quote}{after}"));
    }
    out
}

/// ``[`crate::Name`]`` as `link` has it.
fn links(line: &str, link: &dyn Fn(&str) -> String) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("[`") {
        let Some((path, end)) = after.split_once("`]") else { break };
        out.push_str(before);
        out.push_str(&link(path.rsplit("::").next().unwrap_or(path)));
        rest = end;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_is_laid_out() {
        let declaration = r#"/**
 * Says [`crate::Thing`],
 * [`other`].
 */
export type A = { "type": "a" } & B | { "type": "b", 
/**
 * One.
 */
id: number, 
/**
 * Two.
 */
map: { [key in string]: string }, };"#;
        let link =
            |name: &str| if name == "Thing" { "{@link Thing}".to_owned() } else { format!("`{name}`") };
        let expected = "\
/**
 * Says {@link Thing},
 * `other`.
 */
export type A =
  | { type: 'a' } & B
  | {
      type: 'b'
      /** One. */
      id: number
      /** Two. */
      map: { [key in string]: string }
    }
";
        assert_eq!(pretty(declaration, &link), expected);
        assert_eq!(pretty("export type A = \"a\" | \"b\";", &link), "export type A = 'a' | 'b'\n");
    }
}
